// Float32 addition as IEEE 754-2019 defines it, roundTiesToEven, with subnormals.
//
// NaN operands and Inf - Inf give 0x7FC00000. An exact zero sum is +0 unless both operands are -0.
//
// The smaller magnitude is shifted to the larger one's exponent with three more bits below, the
// last of them jammed. That is enough: where the operands' exponents differ by at most 3 nothing
// is lost, and where they differ by 2 or more the difference has at most one leading zero, so
// that at least 26 bits stand between its leading one and the jammed bit.
//
// Combinational.
module mx_fp32_add (
  input  logic [31:0] a_i,
  input  logic [31:0] b_i,
  output logic [31:0] result_o
);

  // Carry, 24 significand bits, three bits below.
  localparam int SumBits = 28;

  //////////////////////////
  // Order by magnitude   //
  //////////////////////////

  logic        a_is_larger;
  logic [31:0] larger, smaller;
  logic        larger_is_normal, smaller_is_normal;
  logic [7:0]  larger_field, smaller_field;
  logic [7:0]  distance;
  logic [26:0] larger_significand, smaller_significand, aligned;

  assign a_is_larger = a_i[30:0] >= b_i[30:0];
  assign larger      = a_is_larger ? a_i : b_i;
  assign smaller     = a_is_larger ? b_i : a_i;

  // Field 0 (subnormals and zero) has the exponent of field 1 and no hidden bit.
  assign larger_is_normal    = larger[30:23] != 8'd0;
  assign smaller_is_normal   = smaller[30:23] != 8'd0;
  assign larger_significand  = {larger_is_normal, larger[22:0], 3'b000};
  assign smaller_significand = {smaller_is_normal, smaller[22:0], 3'b000};
  assign larger_field        = larger_is_normal ? larger[30:23] : 8'd1;
  assign smaller_field       = smaller_is_normal ? smaller[30:23] : 8'd1;
  assign distance            = larger_field - smaller_field;

  mx_shift_right_jam #(
    .Width       (27),
    .DistanceBits(8)
  ) u_align (
    .data_i    (smaller_significand),
    .distance_i(distance),
    .data_o    (aligned)
  );

  ////////////////////
  // Add and round  //
  ////////////////////

  logic                                   subtract;
  logic [SumBits-1:0]                     magnitude;
  logic                                   sign;
  logic signed [mx_pkg::ExponentBits-1:0] lsb_exponent;
  logic [31:0]                            rounded;
  logic                                   unused_zero, unused_overflow;

  assign subtract  = larger[31] ^ smaller[31];
  assign magnitude = subtract ? {1'b0, larger_significand} - {1'b0, aligned}
                              : {1'b0, larger_significand} + {1'b0, aligned};
  assign sign      = larger[31] && !(subtract && magnitude == '0);
  // Field f has the significand LSB 2^(f - 127 - 23), and there are three bits below it.
  assign lsb_exponent = $signed({2'b00, larger_field}) - 10'sd153;

  mx_round #(
    .Width       (SumBits),
    .ExponentBits(mx_pkg::ExponentBits)
  ) u_round (
    .sign_i        (sign),
    .magnitude_i   (magnitude),
    .increment_i   (1'b0),
    .lsb_exponent_i(lsb_exponent),
    .result_o      (rounded),
    .is_zero_o     (unused_zero),
    .overflow_o    (unused_overflow)
  );

  // If either operand is NaN or Inf, the larger magnitude is.
  logic is_nan, is_inf;

  assign is_inf   = larger[30:0] == mx_pkg::Fp32Inf;
  assign is_nan   = larger[30:0] > mx_pkg::Fp32Inf
      || (smaller[30:0] == mx_pkg::Fp32Inf && subtract);
  assign result_o = is_nan ? mx_pkg::Fp32Nan : is_inf ? larger : rounded;

endmodule
