// Adds the aligned running value c to the sum of aligned products, both exact.
//
//   (-1)^sign_o * (magnitude_o + increment_o)
//       = (-1)^sum_negative_i * sum_i * 2^-sum_distance_i
//       + (-1)^c_negative_i * (c_significand_i * 2^(F - 23 - c_distance_i), cut toward zero)
//
// in units of 2^(E - F), E the largest exponent: sum_distance_i tells how far E is above the exponent
// that sum_i is aligned to, c_distance_i how far it is above that of c; a negative c_distance_i counts
// as 0. No bit of sum_i below the unit is set, since they were cut from each product.
//
// The products' sum is not negated on the way in, nor is the result on the way out: increment_o tells
// that one belongs to the complement in magnitude_o, which mx_round adds for nothing.
//
// Width: the products' sum is below 2^(F + 2) * 2^log2(GroupSize) in units of 2^(E - F), c is below
// 2^(F + 1); a bit more holds both.
//
// Combinational.
module mx_aligned_add #(
  parameter int AlignBits = 25,     // F
  parameter int SumBits = 33,       // of sum_i, signed
  parameter int DistanceBits = 6,   // of sum_distance_i
  parameter int Bits = 33           // of the result's magnitude
) (
  input  logic                                           sum_negative_i,
  input  logic [SumBits-1:0]                             sum_i,
  input  logic [DistanceBits-1:0]                        sum_distance_i,
  input  logic                                           c_negative_i,
  input  logic [23:0]                                    c_significand_i,
  input  logic signed [mx_pkg::AlignedExponentBits-1:0] c_distance_i,
  output logic                                           sign_o,
  output logic [Bits-1:0]                                magnitude_o,
  output logic                                           increment_o
);

  localparam int ExponentBits = mx_pkg::AlignedExponentBits;
  localparam int CBits = AlignBits + 1;
  localparam int CDistanceBits = $clog2(CBits);

  logic signed [SumBits-1:0]    sum;
  logic [Bits:0]                products;
  logic [CBits-1:0]             c_unshifted, c;
  logic                         c_is_gone, differ;
  logic [Bits:0]                total;

  assign sum      = $signed(sum_i);
  assign products = (Bits+1)'(sum >>> sum_distance_i);

  if (AlignBits >= 23) begin : gen_whole
    assign c_unshifted = {c_significand_i, {AlignBits - 23{1'b0}}};
  end else begin : gen_cut
    logic unused_c;
    assign unused_c    = ^c_significand_i;
    assign c_unshifted = c_significand_i[23 -: CBits];
  end

  assign c_is_gone = (c_distance_i >> CDistanceBits) != '0;  // or negative
  assign c = c_distance_i[ExponentBits-1] ? c_unshifted
      : c_is_gone ? '0 : c_unshifted >> c_distance_i[CDistanceBits-1:0];

  assign differ = sum_negative_i ^ c_negative_i;

  mx_add #(
    .Width(Bits + 1)
  ) u_add (
    .a_i    (products),
    .b_i    ((Bits+1)'(c) ^ {Bits+1{differ}}),
    .carry_i(differ),
    .sum_o  (total)
  );

  assign increment_o = total[Bits];
  assign sign_o      = total[Bits] ^ sum_negative_i;
  assign magnitude_o = total[Bits] ? ~total[Bits-1:0] : total[Bits-1:0];

endmodule
