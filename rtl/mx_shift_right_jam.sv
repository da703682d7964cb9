// Right shift that ORs every bit shifted out into the least significant bit kept ("jam").
//
// The result rounds like the exact quotient as long as the rounding position lies at least two bits
// above bit 0: the jammed bit only tells "something is below" and never reaches the rounding bit.
// A distance of Width or more gives 1 for a non-zero input and 0 for zero.
//
// With Signed = 1 the number is two's complement and keeps its sign. The jam is then a rounding to
// odd, the same for a number and its negative: what lies strictly between two even neighbours goes
// to the odd number between them. A negative number shifted out altogether gives -1.
//
// The distance is taken in radix 4, lowest digit first, an odd top bit before all: a number with
// zeros below it so keeps them through most of the levels, where they cost nothing.
//
// Combinational.
module mx_shift_right_jam #(
  parameter int Width = 27,
  parameter int DistanceBits = 5,
  parameter int Signed = 0
) (
  input  logic [Width-1:0]        data_i,
  input  logic [DistanceBits-1:0] distance_i,
  output logic [Width-1:0]        data_o
);

  localparam int Digits = DistanceBits / 2;
  localparam int HasTop = DistanceBits % 2;

  logic fill;

  assign fill = Signed != 0 && data_i[Width-1];

  // gen_level[0] shifts by the odd top bit, gen_level[1 + d] by digit d.
  for (genvar l = 0; l <= Digits; l++) begin : gen_level

    logic [Width-1:0] data;
    logic             lost;  // something was shifted out here or before

    if (l == 0 && HasTop == 0) begin : gen_start

      assign data = data_i;
      assign lost = 1'b0;

    end else if (l == 0) begin : gen_top

      localparam int Weight = 1 << (DistanceBits - 1);
      localparam int Kept = (Weight < Width) ? Weight : Width;

      assign data     = distance_i[DistanceBits-1]
          ? Width'({{Weight{fill}}, data_i} >> Weight) : data_i;
      assign lost     = distance_i[DistanceBits-1] && data_i[Kept-1:0] != '0;

    end else begin : gen_digit

      localparam int Weight = 1 << (2 * (l - 1));

      logic [Width+3*Weight-1:0] extended;
      logic [1:0]                digit;

      assign extended = {{3 * Weight{fill}}, gen_level[l-1].data};
      assign digit    = distance_i[2*(l-1) +: 2];
      assign data     = digit[1]
          ? (digit[0] ? extended[3*Weight +: Width] : extended[2*Weight +: Width])
          : (digit[0] ? extended[Weight +: Width]   : extended[0 +: Width]);
      // Groups of Weight bits from the bottom; beyond the top they hold the fill, which is no loss
      // that was not one before: then the sign bit itself is shifted out.
      assign lost     = gen_level[l-1].lost
          || (digit != 2'd0 && extended[0 +: Weight] != '0)
          || (digit[1] && extended[Weight +: Weight] != '0)
          || (digit == 2'd3 && extended[2*Weight +: Weight] != '0);

    end

  end

  if (Width > 1) begin : gen_jam
    assign data_o = {gen_level[Digits].data[Width-1:1],
                     gen_level[Digits].data[0] || gen_level[Digits].lost};
  end else begin : gen_jam_only
    assign data_o = gen_level[Digits].data[0] || gen_level[Digits].lost;
  end

endmodule
