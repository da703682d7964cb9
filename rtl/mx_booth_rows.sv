// Sum of one radix-4 digit of Booth over a few lanes of INT8 products.
//
//   sum_o + excess = sum over lanes of digit[lane] * a[lane]      excess: digit_i[2] of lane 0, with
//   digit = digit_i[0] + digit_i[1] - 2 * digit_i[2]              Absorb = 1 none
//
// A negative multiple is complemented and its 1 comes in as the carry of its lane's addition. The
// bit is digit_i[2] itself: where the digit is 0 with that bit set the complement is all ones, and
// adding 1 makes it 0 again. A bit of a row so is one LUT: the sum so far, two bits of a, the digit.
// Lane 0 starts the sum, and its 1 is left to the caller, or with Absorb = 1 added here.
//
// Width: |digit * a| <= 256; complemented, without the 1, it is from -256 to 255, 9 bits, and the sum
// of j lanes without lane 0's 1 fits 9 + clog2(j). With that 1 it can be 256 * j: one bit more.
//
// Combinational, Count - 1 additions deep.
module mx_booth_rows #(
  parameter int Count = 4,
  parameter int Absorb = 0
) (
  input  logic [8*Count-1:0]                 a_i,      // INT8 codes, lane 0 in the LSBs
  input  logic [3*Count-1:0]                 digit_i,
  output logic [9+$clog2(Count)+Absorb-1:0]  sum_o
);

  for (genvar lane = 0; lane < Count; lane++) begin : gen_row

    localparam int Bits = 9 + $clog2(lane + 1) + Absorb;

    logic [7:0]      a;
    logic [2:0]      digit;
    logic [8:0]      multiple;
    logic [Bits-1:0] row, sum;

    assign a     = a_i[8*lane +: 8];
    assign digit = digit_i[3*lane +: 3];

    assign multiple = (digit[1] ^ digit[0]) ? {a[7], a}
        : (digit[2] ^ digit[1]) ? {a, 1'b0} : 9'd0;
    assign row      = Bits'($signed(multiple ^ {9{digit[2]}}));

    if (lane > 0) begin : gen_add
      localparam int Before = 9 + $clog2(lane) + Absorb;
      logic [Bits-1:0] previous;
      assign previous = Bits'($signed(gen_row[lane-1].sum[Before-1:0]));
      mx_add #(
        .Width(Bits)
      ) u_add (
        .a_i    (previous),
        .b_i    (row),
        .carry_i(digit[2]),
        .sum_o  (sum)
      );
    end else if (Absorb != 0) begin : gen_absorb
      mx_add #(
        .Width(Bits)
      ) u_add (
        .a_i    ({Bits{1'b0}}),
        .b_i    (row),
        .carry_i(digit[2]),
        .sum_o  (sum)
      );
    end else begin : gen_start
      assign sum = row;
    end

  end

  assign sum_o = gen_row[Count-1].sum;

endmodule
