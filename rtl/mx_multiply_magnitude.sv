// Magnitude of the product of two signed bytes.
//
//   product_o = |a_i * b_i|
//
// b is read in radix 4, two bits at a time from the low end, as digits from -2 to 2 (Booth):
//
//   b[2r+1] b[2r] b[2r-1]   000  001  010  011  100  101  110  111
//   digit                     0    1    1    2   -2   -1   -1    0
//
// Where the product would be negative all digits change their sign, and so does the product.
// A row is added or subtracted in one carry chain, whose LUTs take in the choice of 0, 1 or 2 times a.
//
// Width: |acc| <= 128 * 2 * (1 + 1/4 + 1/16 + 1/64) < 341 after each row, so 10 signed bits; the
// largest product is 128 * 128 = 2^14, in 15 bits.
//
// Combinational.
module mx_multiply_magnitude (
  input  logic [7:0]  a_i,       // two's complement
  input  logic [7:0]  b_i,       // two's complement
  output logic [14:0] product_o
);

  localparam int Rows = 4;

  logic       is_negative;
  logic [8:0] digits;  // b with a zero below

  assign is_negative = a_i[7] ^ b_i[7];
  assign digits      = {b_i, 1'b0};

  // gen_row[r] adds the row of digit r; two bits of the product are ready after it.
  for (genvar r = 0; r < Rows; r++) begin : gen_row

    logic              one, two, subtract;
    logic signed [9:0] above;  // what the rows before leave for this one's weight
    logic signed [9:0] row;
    logic signed [9:0] acc;

    assign one      = digits[2*r] ^ digits[2*r+1];
    assign two      = (digits[2*r+2] ^ digits[2*r+1]) && !one;
    assign subtract = digits[2*r+2] ^ is_negative;
    assign row      = one ? 10'($signed(a_i)) : two ? {a_i[7], a_i, 1'b0} : 10'd0;

    if (r == 0) begin : gen_first
      assign above = 10'd0;
    end else begin : gen_next
      assign above = gen_row[r-1].acc >>> 2;
    end

    mx_add #(
      .Width(10)
    ) u_add (
      .a_i    (above),
      .b_i    (row ^ {10{subtract}}),
      .carry_i(subtract),
      .sum_o  (acc)
    );

  end

  // The last row leaves no sign: its bit 9 is always 0.
  logic unused_sign;

  assign unused_sign = gen_row[3].acc[9];
  assign product_o = {gen_row[3].acc[8:0], gen_row[2].acc[1:0], gen_row[1].acc[1:0],
                      gen_row[0].acc[1:0]};

endmodule
