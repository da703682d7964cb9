// One lane of a conversion from MX: an element over its scale, as a Float32 number.
//
//   value_o = element of code_i * 2^(scale_i - 127), exactly (MX-5.1-k)
//
// Nothing is rounded: a product that does not overflow is a multiple of 2^-149 with at most 8
// significant bits (D-7), so it is a Float32 number, perhaps a subnormal one. First match first:
//
//   NaN scale or NaN element (MX-5.1-h, -i)     0x7FC00000
//   Inf element (MX-5.1-i)                      Inf of its sign
//   beyond the range of Float32 (A-23)          Inf of its sign
//   zero                                        zero of its sign
//
// Width: the exponent field of the product, scale_i + the element's, is from -16 (E5M2, smallest
// subnormal, scale code 0) to 255 + 15: 10 signed bits.
//
// Combinational.
module mx_dequantize_lane #(
  parameter int Format = mx_pkg::E4M3  // element format id of mx_pkg
) (
  input  logic [mx_pkg::element_bits(Format)-1:0] code_i,
  input  logic [mx_pkg::ScaleBits-1:0]            scale_i,
  output logic [31:0]                             value_o
);

  localparam int SignificandBits = mx_pkg::significand_bits(Format);
  localparam int CountBits = $clog2(SignificandBits);
  localparam int QuantumExponent = mx_pkg::quantum_exponent(Format);
  localparam int FieldBits = 10;
  // The smallest product has field QuantumExponent, that many places and one below field 1.
  localparam int LargestDistance = 1 - QuantumExponent;
  localparam int DistanceBits = $clog2(LargestDistance + 1);
  localparam int PlacedBits = SignificandBits + LargestDistance;

  logic                                   negative, is_nan, is_inf, is_zero;
  logic [SignificandBits-1:0]             significand;
  logic [mx_pkg::offset_bits(Format)-1:0] offset, unused_exponent;

  mx_element_decode #(
    .Format(Format)
  ) u_decode (
    .code_i,
    .negative_o   (negative),
    .significand_o(significand),
    .offset_o     (offset),
    .exponent_o   (unused_exponent),
    .is_nan_o     (is_nan),
    .is_inf_o     (is_inf),
    .is_zero_o    (is_zero)
  );

  ///////////////
  // Normalise //
  ///////////////

  logic [SignificandBits-1:0]  normalised;
  logic [CountBits-1:0]        leading_zeros;
  logic signed [FieldBits-1:0] field;

  always_comb begin
    normalised    = significand;
    leading_zeros = '0;
    for (int k = CountBits - 1; k >= 0; k--) begin
      if ((normalised >> (SignificandBits - (1 << k))) == '0) begin
        normalised       = normalised << (1 << k);
        leading_zeros[k] = 1'b1;
      end
    end
  end

  assign field = FieldBits'(scale_i) + (FieldBits'(offset) - FieldBits'(leading_zeros)
      + FieldBits'(SignificandBits - 1 + QuantumExponent));

  ///////////
  // Place //
  ///////////

  logic                    is_subnormal;
  logic [DistanceBits-1:0] distance;
  logic [PlacedBits-1:0]   placed;

  assign is_subnormal = field < 1;
  assign distance     = is_subnormal ? DistanceBits'(1 - field) : '0;
  assign placed       = (PlacedBits'(normalised) << LargestDistance) >> distance;

  //////////
  // Pack //
  //////////

  logic        unused_hidden;  // the field says whether it is set
  logic [22:0] mantissa;

  assign unused_hidden = placed[PlacedBits-1];
  assign mantissa      = 23'(placed[PlacedBits-2:0]) << (24 - PlacedBits);

  always_comb begin
    if (is_nan || scale_i == mx_pkg::ScaleNan) begin
      value_o = mx_pkg::Fp32Nan;
    end else if (is_zero) begin
      value_o = {negative, 31'd0};
    end else if (is_inf || field > 254) begin
      value_o = {negative, mx_pkg::Fp32Inf};
    end else begin
      value_o = {negative, is_subnormal ? 8'd0 : field[7:0], mantissa};
    end
  end

endmodule
