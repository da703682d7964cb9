// E8M0 scale of a block of numbers (MX-6.3-b), from their fields alone.
//
//   ScaleFloor: scale = 2^(floor(log2(amax)) - emax)
//   ScaleRceil: scale = 2^ceil(log2(amax / largest element))
//
// with amax the largest magnitude and emax the exponent of the element's largest power of two. Both
// are monotonic in the magnitude, so no magnitudes are compared, only exponent fields, under
// ScaleRceil with one more bit below: whether the significand is above that of the largest element,
// which has only leading ones: 1.75 (E5M2, E4M3, E3M2), 1.875 (E2M3), 1.5 (E2M1), 127/64 (INT8).
// There is no logarithm and no division that could be a unit off next to a power of two (D-15, D-16).
//
// A block with NaN or Inf has scale 0xFF (A-6, A-7). A scale below 2^-127 becomes 2^-127 (A-4), also
// that of an all-zero block (A-3), and one above 2^127 becomes 2^127 (A-5); only INT8 under
// ScaleRceil gets there (D-6).
//
// Field 0 stands for zero and subnormals, whose floor(log2) is -127 at most. The field's value, -127,
// is right for all: the code is 0 either way. One subnormal range matters, that of INT8 under
// ScaleRceil above 127/64 * 2^-127, whose code is 1.
//
// Combinational.
module mx_scale_select #(
  parameter int Format = mx_pkg::E4M3,          // element format id of mx_pkg
  parameter int ScaleRule = mx_pkg::ScaleFloor  // or ScaleRceil
) (
  input  logic [mx_pkg::BlockSize*32-1:0] values_i,  // Float32, element 0 in the LSBs
  output logic [mx_pkg::ScaleBits-1:0]    scale_o
);

  localparam int Lanes = mx_pkg::BlockSize;
  localparam int IsRceil = (ScaleRule == mx_pkg::ScaleRceil) ? 1 : 0;
  localparam int KeyBits = 8 + IsRceil;
  localparam int MaxExponent = mx_pkg::max_exponent(Format);
  // Ones after the point in the significand of the largest element.
  localparam int Ones = (Format == mx_pkg::E2M1) ? 1 : (Format == mx_pkg::E2M3) ? 3
      : (mx_pkg::is_integer(Format) != 0) ? 6 : 2;

  logic [Lanes*KeyBits-1:0] keys;
  logic [KeyBits-1:0]       max_key;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_keys

    logic        unused_sign;
    logic [7:0]  field;
    logic [22:0] mantissa;

    assign {unused_sign, field, mantissa} = values_i[lane*32 +: 32];

    if (IsRceil != 0) begin : gen_rceil

      logic is_above;

      // A subnormal has its leading one where a normal number has its first mantissa bit.
      if (mx_pkg::is_integer(Format) != 0) begin : gen_integer
        assign is_above = (&mantissa[22 -: Ones]) && (field != 8'd0
            ? |mantissa[22-Ones:0] : mantissa[22-Ones] && |mantissa[21-Ones:0]);
      end else begin : gen_float
        assign is_above = (&mantissa[22 -: Ones]) && |mantissa[22-Ones:0];
      end

      assign keys[lane*KeyBits +: KeyBits] = {field, is_above};

    end else begin : gen_floor

      logic unused_mantissa;

      assign unused_mantissa = ^mantissa;
      assign keys[lane*KeyBits +: KeyBits] = field;

    end

  end

  mx_max_tree #(
    .Count(Lanes),
    .Width(KeyBits)
  ) u_max (
    .numbers_i(keys),
    .max_o    (max_key)
  );

  logic [7:0]        max_field;
  logic signed [9:0] code;

  assign max_field = max_key[KeyBits-1 -: 8];
  assign code      = 10'(max_field) - 10'(MaxExponent) + 10'(IsRceil != 0 && max_key[0]);

  always_comb begin
    if (max_field == 8'hFF) begin
      scale_o = mx_pkg::ScaleNan;
    end else if (code < 0) begin
      scale_o = 8'h00;
    end else if (code > 254) begin
      scale_o = 8'hFE;
    end else begin
      scale_o = 8'(code);
    end
  end

endmodule
