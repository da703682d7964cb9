// UE4M3 scale of a block of numbers: amax / 6, rounded once to nearest, ties to even (NV-Q-b, A-N1).
//
// key_i is what matters of the largest magnitude: exponent field, the six highest mantissa bits and the
// OR of those below. The quotient's significand is that of amax over 3. Twice the seven significand bits,
// below 256, times 171 / 512 has the integer part of a third (171 / 512 - 1 / 3 = 1 / 1536), and where
// that is not the third exactly, or mantissa bits are below, a sticky bit says so. It has 6 bits at
// least, two more than a UE4M3 significand, and the sticky bit: mx_round rounds the exact quotient.
//
//   NaN or Inf in the block (A-N10)     0x7F
//   only zeros (A-N2)                   0x00
//   rounds to zero (A-N3)               0x01; so does every subnormal amax, whose significand does not matter
//   above 448 (A-N4)                    0x7E
//
// Combinational.
module mx_nvfp4_scale (
  input  logic [14:0] key_i,
  output logic [7:0]  scale_o
);

  logic [7:0]  field;
  logic [7:0]  doubled;
  logic [8:0]  unused_fraction;
  logic [6:0]  third;
  logic        sticky;
  logic [7:0]  rounded;
  logic        unused_zero, unused_overflow;

  assign field = key_i[14:7];
  assign doubled = {1'b1, key_i[6:1], 1'b0};
  assign {third, unused_fraction} = 16'(doubled) * 16'd171;
  assign sticky = key_i[0] || {third, 1'b0} + {1'b0, third} != doubled;

  // amax = doubled * 2^(field - 127 - 7), a sixth of it is third * 2^(field - 127 - 7 - 1).
  mx_round #(
    .Width         (8),
    .ExponentBits  (9),
    .Result        (mx_pkg::Ue4m3),
    .ExponentOffset(-136)
  ) u_round (
    .sign_i        (1'b0),
    .magnitude_i   ({third, sticky}),
    .increment_i   (1'b0),
    .lsb_exponent_i({1'b0, field}),
    .result_o      (rounded),
    .is_zero_o     (unused_zero),
    .overflow_o    (unused_overflow)
  );

  assign scale_o = (field == 8'hFF) ? 8'h7F
      : (key_i == '0) ? 8'h00
      : (rounded == 8'h00) ? 8'h01 : rounded;

endmodule
