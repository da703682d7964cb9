// Rounds an aligned number to an element, to nearest, ties to even (MX-6.3-d, MX-6.3-g).
//
// Beyond the range after rounding (MX-5.3.1-e): the largest magnitude, or under OverflowInfNan Inf (E5M2)
// or NaN (E4M3); the number's sign in any case. INT8 is symmetric: -127/64 is the lowest (MX-5.3.4-g).
// Zero, also from underflow, keeps its sign where the format has -0 (A-19).
//
// is_nan_i, for a block whose scale is NaN, makes the code 0.
//
// Combinational.
module mx_quantize_round #(
  parameter int Format = mx_pkg::E4M3,                 // element format id of mx_pkg
  parameter int Overflow = mx_pkg::OverflowSaturate    // or OverflowInfNan
) (
  input  logic [mx_pkg::quantize_aligned_bits(Format)-1:0] aligned_i,  // of mx_quantize_align
  input  logic                                             is_nan_i,
  output logic [mx_pkg::element_bits(Format)-1:0]          code_o
);

  localparam int Bits = mx_pkg::element_bits(Format);
  localparam int MantissaBits = mx_pkg::number_mantissa_bits(Format);
  localparam int FieldBits = mx_pkg::quantize_field_bits(Format);

  logic                        sign, guard, sticky;
  logic signed [FieldBits-1:0] field;
  logic [MantissaBits:0]       significand;
  logic [Bits-1:0]             rounded, code;
  logic                        is_overflow;

  assign {sign, field, significand, guard, sticky} = aligned_i;

  mx_round_pack #(
    .FieldBits(FieldBits),
    .Result   (Format)
  ) u_pack (
    .sign_i       (sign),
    .significand_i(significand),
    .guard_i      (guard),
    .sticky_i     (sticky),
    .carry_i      (1'b0),
    .field_i      (field),
    .result_o     (rounded),
    .overflow_o   (is_overflow)
  );

  if (mx_pkg::is_integer(Format) != 0) begin : gen_integer
    logic       unused_sign;
    logic [7:0] magnitude;

    assign unused_sign = rounded[7];
    assign magnitude   = {1'b0, rounded[6:0]};
    assign code        = sign ? -magnitude : magnitude;
  end else if (Overflow == mx_pkg::OverflowInfNan) begin : gen_inf_nan
    localparam logic [6:0] Beyond = (Format == mx_pkg::E5M2) ? 7'h7C : 7'h7F;
    assign code = is_overflow ? {sign, Beyond} : rounded;
  end else begin : gen_saturate
    assign code = rounded;
  end

  logic unused_overflow;

  assign unused_overflow = is_overflow;
  assign code_o          = is_nan_i ? '0 : code;

endmodule
