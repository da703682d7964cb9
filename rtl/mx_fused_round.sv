// Block sum and Float32 number c to one rounded number, special values included.
//
//   result_o = c + (-1)^negative_i * sum_i * 2^(scale_sum_i + GridExponent)     rounded to ResultFormat
//
// mx_fused_add and mx_round with two places for registers, and the special values:
//   is_nan_i, NaN c, Inf and -Inf       the NaN of ResultFormat
//   is_inf_i, infinite c                Inf of its sign
//   an exact zero                       +0; with IeeeZero = 1, -0 if c is negative and all_negative_i:
//                                       c and all products are negative zeros then
//
//   cut     CutTotal                CutNormalised
//           align, add c          | normalise     | round, special values
//
// Each Cut is a register if 1 and nothing if 0. Latency: their number. Handshake and reset: those of
// mx_pipe_stage. tag_i comes out with its result.
module mx_fused_round #(
  parameter int SumBits = 41,                 // magnitude bits of the sum
  parameter int GridExponent = -272,          // exponent of the sum's LSB where scale_sum_i is 0
  parameter int ResultFormat = mx_pkg::Fp32,  // a number format id of mx_pkg with Inf
  parameter int IeeeZero = 0,
  parameter int TagBits = 1,
  parameter int CutTotal = 0,
  parameter int CutNormalised = 0
) (
  input  logic                                         clk_i,
  input  logic                                         rst_ni,

  input  logic                                         valid_i,
  output logic                                         ready_o,
  input  logic [SumBits:0]                             sum_i,  // two's complement
  input  logic                                         negative_i,
  input  logic [mx_pkg::ScaleBits:0]                   scale_sum_i,
  input  logic                                         is_nan_i,
  input  logic                                         is_inf_i,
  input  logic                                         inf_negative_i,
  input  logic                                         all_negative_i,
  input  logic [31:0]                                  c_i,
  input  logic [TagBits-1:0]                           tag_i,

  output logic                                         valid_o,
  input  logic                                         ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o,
  output logic [TagBits-1:0]                           tag_o
);

  localparam int FusedBits = mx_pkg::fused_bits(SumBits);
  localparam int ExponentBits = mx_pkg::ExponentBits + 1;
  localparam int ExponentOffset = mx_pkg::fused_exponent(SumBits);
  localparam int PartBits = mx_pkg::rounding_bits(ResultFormat);
  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);
  localparam logic [31:0] Nan = mx_pkg::number_nan(ResultFormat);
  localparam logic [31:0] Inf = mx_pkg::number_inf(ResultFormat);
  // Tag, NaN, Inf, sign of Inf, sign of zero, sign.
  localparam int SideBits = TagBits + 5;

  ///////////
  // Total //
  ///////////

  logic                           c_is_special, c_is_nan, c_is_inf, is_nan, is_inf, inf_negative;
  logic                           sign, increment, zero_negative;
  logic [FusedBits-1:0]           magnitude;
  logic signed [ExponentBits-1:0] exponent;

  assign c_is_special  = c_i[30:23] == 8'hFF;
  assign c_is_nan      = c_is_special && c_i[22:0] != '0;
  assign c_is_inf      = c_is_special && c_i[22:0] == '0;
  assign is_nan        = is_nan_i || c_is_nan || (c_is_inf && is_inf_i && (c_i[31] ^ inf_negative_i));
  assign is_inf        = is_inf_i || c_is_inf;
  assign inf_negative  = is_inf_i ? inf_negative_i : c_i[31];
  assign zero_negative = IeeeZero != 0 && all_negative_i && c_i[31];

  mx_fused_add #(
    .SumBits     (SumBits),
    .GridExponent(GridExponent)
  ) u_add (
    .sum_i,
    .negative_i,
    .scale_sum_i,
    .c_i,
    .sign_o     (sign),
    .magnitude_o(magnitude),
    .increment_o(increment),
    .exponent_o (exponent)
  );

  logic                           total_valid, total_ready;
  logic [SideBits-1:0]            total_side;
  logic [FusedBits-1:0]           complemented, total_complemented, total_magnitude;
  logic                           total_increment;
  logic signed [ExponentBits-1:0] total_exponent;

  // The register holds magnitude and sign with the complement undone: increment comes last out of the
  // addition, and what depends on it waits for the next stage.
  assign complemented    = magnitude ^ {FusedBits{increment}};
  assign total_magnitude = total_complemented ^ {FusedBits{total_increment}};

  mx_pipe_stage #(
    .Width (SideBits + FusedBits + 1 + ExponentBits),
    .Bypass(1 - CutTotal)
  ) u_cut_total (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({tag_i, is_nan, is_inf, inf_negative, zero_negative, sign ^ increment, complemented, increment,
              exponent}),
    .valid_o(total_valid),
    .ready_i(total_ready),
    .data_o ({total_side, total_complemented, total_increment, total_exponent})
  );

  ///////////////
  // Normalise //
  ///////////////

  logic [PartBits-1:0] parts, rounded_parts;

  mx_round_normalise #(
    .Width         (FusedBits),
    .ExponentBits  (ExponentBits),
    .Result        (ResultFormat),
    .ExponentOffset(ExponentOffset),
    .LowestExponent(ExponentOffset + 1)
  ) u_normalise (
    .magnitude_i   (total_magnitude),
    .increment_i   (total_increment),
    .lsb_exponent_i(total_exponent),
    .parts_o       (parts)
  );

  logic rounded_is_nan, rounded_is_inf, rounded_inf_negative, rounded_zero_negative, rounded_sign;

  mx_pipe_stage #(
    .Width (SideBits + PartBits),
    .Bypass(1 - CutNormalised)
  ) u_cut_normalised (
    .clk_i,
    .rst_ni,
    .valid_i(total_valid),
    .ready_o(total_ready),
    .data_i ({total_side[SideBits-1:1], total_side[0] ^ total_increment, parts}),
    .valid_o,
    .ready_i,
    .data_o ({tag_o, rounded_is_nan, rounded_is_inf, rounded_inf_negative, rounded_zero_negative,
              rounded_sign, rounded_parts})
  );

  ///////////
  // Round //
  ///////////

  logic [ResultBits-1:0] rounded;
  logic                  is_zero, result_sign, unused_overflow;

  mx_round_result #(
    .Result(ResultFormat),
    .Mode  (mx_pkg::NearestEven)
  ) u_round (
    .sign_i    (result_sign),
    .parts_i   (rounded_parts),
    .result_o  (rounded),
    .is_zero_o (is_zero),
    .overflow_o(unused_overflow)
  );

  assign result_sign = rounded_is_inf ? rounded_inf_negative
      : is_zero ? rounded_zero_negative : rounded_sign;
  assign result_o    = rounded_is_nan ? Nan[ResultBits-1:0]
      : {rounded[ResultBits-1],
         rounded_is_inf ? Inf[ResultBits-2:0] : rounded[ResultBits-2:0]};

endmodule
