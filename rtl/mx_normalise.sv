// Shifts the leading one of a number to the top bit, by no more than a given number of places.
//
//   data_o = data_i shifted left by shift_o = min(leading zeros of data_i, room_i), fill_i shifted in
//
// A negative room_i counts as 0. Where data_i is zero and fill_i too, shift_o is any number up to
// room_i. is_limited_o is set where shift_o is room_i and the top bit of data_o is clear; where it
// is clear, that bit is set or data_i is zero.
//
// The shift is found in radix 4, highest digit first, after an odd top bit. A digit of weight q looks at the top three
// groups of q bits, and at the digit of room_i: as long as all digits before were those of room_i
// the limit can bind, and once a digit was smaller (a one was met) it cannot any more. So the limit
// costs two gates a bit of the shift, and no comparison of numbers.
//
// Combinational.
module mx_normalise #(
  parameter int Width = 69,
  parameter int RoomBits = 12  // at least shift_bits + 1
) (
  input  logic [Width-1:0]                             data_i,
  input  logic                                         fill_i,
  input  logic signed [RoomBits-1:0]                   room_i,
  output logic [Width-1:0]                             data_o,
  output logic [mx_pkg::normalise_bits(Width)-1:0]     shift_o,
  output logic                                         is_limited_o
);

  localparam int ShiftBits = mx_pkg::normalise_bits(Width);

  logic                 is_limited;  // by a room_i that fits the shift; else it cannot bind
  logic [ShiftBits-1:0] limit;

  assign is_limited = room_i[RoomBits-1] || (room_i >> ShiftBits) == '0;
  assign limit      = room_i[RoomBits-1] ? '0 : room_i[ShiftBits-1:0];

  // gen_digit[d] shifts by a multiple of 4^d below 4^(d+1); it starts from gen_digit[d+1]. The odd top
  // bit is a digit of which only the low bit is used.
  localparam int Digits = (ShiftBits + 1) / 2;

  for (genvar d = Digits; d >= 0; d--) begin : gen_digit

    logic [Width-1:0] data;
    logic             free;  // the limit cannot bind any more

    if (d == Digits) begin : gen_start

      assign data = data_i;
      assign free = !is_limited;

    end else if (2 * d + 1 == ShiftBits) begin : gen_bit

      localparam int Weight = 1 << (2 * d);

      logic [Width+Weight-1:0] extended;
      logic                    is_zero, step;

      assign extended = {gen_digit[d+1].data, {Weight{fill_i}}};
      assign is_zero  = extended[Width +: Weight] == '0;
      assign step     = is_zero && (gen_digit[d+1].free || limit[2*d]);
      assign free     = gen_digit[d+1].free || (limit[2*d] && !is_zero);
      assign data     = step ? extended[0 +: Width] : extended[Weight +: Width];

      assign shift_o[2*d] = step;

    end else begin : gen_shift

      localparam int Weight = 1 << (2 * d);

      logic [Width+3*Weight-1:0] extended;
      logic                      first, second, third;  // groups of Weight bits from the top: all zero
      logic                      low_zero;
      logic [1:0]                digit;
      logic                      free_within;

      assign extended = {gen_digit[d+1].data, {3 * Weight{fill_i}}};
      assign first    = extended[Width+2*Weight +: Weight] == '0;
      assign second   = extended[Width+Weight +: Weight] == '0;
      assign third    = extended[Width +: Weight] == '0;

      assign digit[1]    = first && second && (gen_digit[d+1].free || limit[2*d+1]);
      assign free_within = gen_digit[d+1].free || (limit[2*d+1] && !(first && second));
      assign low_zero    = digit[1] ? third : first;
      assign digit[0]    = low_zero && (free_within || limit[2*d]);
      assign free        = free_within || (limit[2*d] && !low_zero);
      assign data        = digit[1]
          ? (digit[0] ? extended[0 +: Width]        : extended[Weight +: Width])
          : (digit[0] ? extended[2*Weight +: Width] : extended[3*Weight +: Width]);

      assign shift_o[2*d +: 2] = digit;

    end

  end

  assign is_limited_o = !gen_digit[0].free;
  assign data_o       = gen_digit[0].data;

`ifndef SYNTHESIS
  initial begin
    if (Width < 1 || RoomBits <= ShiftBits) begin
      $fatal(1, "mx_normalise: RoomBits is %0d; with Width %0d it must be at least %0d.",
             RoomBits, Width, ShiftBits + 1);
    end
  end
`endif

endmodule
