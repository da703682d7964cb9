// Conversion of 16 numbers to one NVFP4 block: the scale is amax / 6 in UE4M3, and each number over the
// scale is rounded to E2M1, to nearest, ties to even. The model's `quantize` to nvfp4 with its default
// options and tensor_scale = 1: the Float32 scale of the tensor (NV-FMT-d) is divided out before.
//
// InputFormat: 8 Float32, 9 BF16.
//
//   block                       scale_o                               elements_o
//   with a NaN or an Inf        0x7F                                  all 0
//   of zeros only               0x00                                  zeros of their sign
//   any other                   0x01 to 0x7E, see mx_nvfp4_scale      see mx_nvfp4_divide
//
//   stage   1             2         3
//           amax       |  scale  |  divide, round  |
//
// Depth: 0 combinational; 1 a register after stage 3; 2 also after stage 2; 3 after all of them.
// Latency: Depth cycles from an accepted block to valid_o. Throughput: one block a cycle.
// Handshake: that of mx_pipe_stage on both sides; ready_o depends on ready_i through Depth gates, on no
// other input. Reset: rst_ni, synchronous, active low; drops all blocks in flight. Data registers are
// not reset.
module mx_nvfp4_quantize #(
  parameter int InputFormat = 8,
  parameter int Depth = 2
) (
  input  logic                                           clk_i,
  input  logic                                           rst_ni,

  // Numbers, element 0 in the LSBs.
  input  logic                                           valid_i,
  output logic                                           ready_o,
  input  logic [16*mx_pkg::number_bits(InputFormat)-1:0] values_i,

  // Block, element 0 in the LSBs.
  output logic                                           valid_o,
  input  logic                                           ready_i,
  output logic [63:0]                                    elements_o,
  output logic [7:0]                                     scale_o
);

  localparam int Lanes = 16;
  localparam int InputBits = mx_pkg::number_bits(InputFormat);
  localparam int ValueBits = Lanes * InputBits;
  localparam int KeyBits = 15;

  ///////////////////
  // Stage 1: amax //
  ///////////////////

  // The thresholds between scales have 7 significand bits, so a larger magnitude matters only as far as
  // these and whether there is something below.
  logic [Lanes*KeyBits-1:0] keys;
  logic [KeyBits-1:0]       max_key;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_keys

    logic        unused_sign;
    logic [13:0] high;
    logic [16:0] low;

    assign {unused_sign, high, low} = 32'(values_i[lane*InputBits +: InputBits]) << (32 - InputBits);
    assign keys[lane*KeyBits +: KeyBits] = {high, |low};

  end

  mx_max_tree #(
    .Count(Lanes),
    .Width(KeyBits)
  ) u_max (
    .numbers_i(keys),
    .max_o    (max_key)
  );

  logic                 amax_valid, amax_ready;
  logic [KeyBits-1:0]   stage1_key;
  logic [ValueBits-1:0] stage1_values;

  mx_pipe_stage #(
    .Width (KeyBits + ValueBits),
    .Bypass((Depth < 3) ? 1 : 0)
  ) u_amax_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({max_key, values_i}),
    .valid_o(amax_valid),
    .ready_i(amax_ready),
    .data_o ({stage1_key, stage1_values})
  );

  ////////////////////
  // Stage 2: scale //
  ////////////////////

  logic [7:0] scale;

  mx_nvfp4_scale u_scale (
    .key_i  (stage1_key),
    .scale_o(scale)
  );

  logic                 scale_valid, scale_ready;
  logic [7:0]           stage2_scale;
  logic [ValueBits-1:0] stage2_values;

  mx_pipe_stage #(
    .Width (8 + ValueBits),
    .Bypass((Depth < 2) ? 1 : 0)
  ) u_scale_stage (
    .clk_i,
    .rst_ni,
    .valid_i(amax_valid),
    .ready_o(amax_ready),
    .data_i ({scale, stage1_values}),
    .valid_o(scale_valid),
    .ready_i(scale_ready),
    .data_o ({stage2_scale, stage2_values})
  );

  /////////////////////
  // Stage 3: divide //
  /////////////////////

  logic [3:0] significand, offset, normalised;
  logic [1:0] leading_zeros;
  logic [7:0] field;
  logic       is_nan, unused_sticky;

  mx_ue4m3_decode u_decode (
    .code_i       (stage2_scale),
    .significand_o(significand),
    .offset_o     (offset),
    .is_nan_o     (is_nan)
  );

  mx_normalise_jam #(
    .Width       (5),
    .KeptBits    (5),
    .LargestShift(3),
    .CountBits   (2)
  ) u_normalise (
    .data_i       ({significand, 1'b0}),
    .significand_o({normalised, unused_sticky}),
    .count_o      (leading_zeros)
  );

  // The leading one of significand * 2^(offset - 9) is 3 - leading zeros places above its last bit.
  assign field = 8'(offset) + 8'd121 - 8'(leading_zeros);

  logic [Lanes*4-1:0] codes;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lanes
    mx_nvfp4_divide u_divide (
      .value_i            (32'(stage2_values[lane*InputBits +: InputBits]) << (32 - InputBits)),
      .scale_significand_i(normalised),
      .scale_field_i      (field),
      .is_nan_i           (is_nan),
      .code_o             (codes[lane*4 +: 4])
    );
  end

  mx_pipe_stage #(
    .Width (8 + 4 * Lanes),
    .Bypass((Depth < 1) ? 1 : 0)
  ) u_divide_stage (
    .clk_i,
    .rst_ni,
    .valid_i(scale_valid),
    .ready_o(scale_ready),
    .data_i ({stage2_scale, codes}),
    .valid_o,
    .ready_i,
    .data_o ({scale_o, elements_o})
  );

`ifndef SYNTHESIS
  initial begin
    if (InputFormat != mx_pkg::Fp32 && InputFormat != mx_pkg::Bf16) begin
      $fatal(1, "mx_nvfp4_quantize: InputFormat is %0d; it must be 8 (Float32) or 9 (BF16).", InputFormat);
    end
    if (Depth < 0 || Depth > 3) begin
      $fatal(1, "mx_nvfp4_quantize: Depth is %0d; it must be from 0 to 3.", Depth);
    end
  end
`endif

endmodule
