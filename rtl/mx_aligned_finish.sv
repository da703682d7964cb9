// Last part of an align-and-truncate dot product: the sum of the aligned products meets the running
// value, is rounded, and becomes the running value or the result.
//
//   AccInAlign = 1   Round(sum + c cut toward zero to a multiple of 2^(E - F))
//   AccInAlign = 0   Round(sum + c)
//
// Round is AccRound to AccFormat; overflow is Inf in either mode and every zero is +0. A narrower
// ResultFormat rounds once more, to nearest. The sum is in units of 2^(E' - F): E' lies
// sum_distance_i below E = exponent_i and no bit of the sum below 2^(E - F) is set.
//
// Special values, first match first: a NaN product, a NaN scale, a NaN c, infinite terms of both signs
// NanPattern; an infinite term Inf of its sign.
//
// With AccInAlign = 0 exponent_i is E' itself.
//
// Chained = 1: running_o is the last result in AccFormat; it is there the cycle after its group was
// taken, from valid_i to the register is one path, and the group with last_i makes valid_o.
// Chained = 0: every group makes a result and c_i is its c. CutSum, CutTotal and CutResult put a
// register before and after the addition of c, and at the result.
//
// Handshake: that of mx_pipe_stage. Reset: rst_ni, synchronous, active low; data are not reset.
module mx_aligned_finish #(
  parameter int AlignBits = 25,
  parameter int SumBits = 33,       // signed
  parameter int DistanceBits = 5,
  parameter int TotalBits = 33,     // magnitude of sum plus c in units of 2^(E - F)
  parameter int LowestExponent = -512,
  parameter int AccInAlign = 1,
  parameter int AccFormat = mx_pkg::Fp32,
  parameter int AccRound = mx_pkg::TowardZero,
  parameter int ResultFormat = mx_pkg::Fp32,
  parameter logic [31:0] NanPattern = 32'h7FC0_0000,
  parameter int Chained = 1,
  parameter int CutSum = 0,
  parameter int CutTotal = 0,
  parameter int CutResult = 0
) (
  input  logic                                           clk_i,
  input  logic                                           rst_ni,

  input  logic                                           valid_i,
  output logic                                           ready_o,
  input  logic                                           last_i,
  input  logic                                           is_nan_i,    // of the products
  input  logic                                           is_inf_i,
  input  logic                                           inf_sign_i,
  input  logic                                           sum_negative_i,  // pending sign of the sum
  input  logic [SumBits-1:0]                             sum_i,
  input  logic [DistanceBits-1:0]                        sum_distance_i,
  input  logic [31:0]                                    c_i,         // Float32 bits
  input  logic signed [mx_pkg::AlignedExponentBits-1:0] c_distance_i,
  input  logic signed [mx_pkg::AlignedExponentBits-1:0] exponent_i,

  output logic [31:0]                                    running_o,

  output logic                                           valid_o,
  input  logic                                           ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0]   result_o
);

  localparam int ExponentBits = mx_pkg::AlignedExponentBits;
  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);

  ////////////////////////
  // Special values     //
  ////////////////////////

  logic c_is_nan, c_is_inf;
  logic is_nan, is_inf, inf_sign;

  assign c_is_nan = c_i[30:23] == 8'hFF && c_i[22:0] != '0;
  assign c_is_inf = c_i[30:23] == 8'hFF && c_i[22:0] == '0;
  assign is_nan   = is_nan_i || c_is_nan || (is_inf_i && c_is_inf && inf_sign_i != c_i[31]);
  assign is_inf   = is_inf_i || c_is_inf;
  assign inf_sign = is_inf_i ? inf_sign_i : c_i[31];

  localparam int SumStageBits = 5 + SumBits + DistanceBits + 32 + 2 * ExponentBits;

  logic                           add_valid, add_ready;
  logic                           add_last, add_is_nan, add_is_inf, add_inf_sign;
  logic                           add_sum_negative;
  logic [SumBits-1:0]             add_sum;
  logic [DistanceBits-1:0]        add_distance;
  logic [31:0]                    add_c;
  logic signed [ExponentBits-1:0] add_c_distance, add_exponent;

  mx_pipe_stage #(
    .Width (SumStageBits),
    .Bypass(1 - CutSum)
  ) u_sum_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({last_i, is_nan, is_inf, inf_sign, sum_negative_i, sum_i, sum_distance_i, c_i,
              c_distance_i, exponent_i}),
    .valid_o(add_valid),
    .ready_i(add_ready),
    .data_o ({add_last, add_is_nan, add_is_inf, add_inf_sign, add_sum_negative, add_sum,
              add_distance, add_c, add_c_distance, add_exponent})
  );

  ////////////////////////
  // Add c              //
  ////////////////////////

  logic                           total_sign, total_increment;
  logic [TotalBits-1:0]           total;
  logic signed [ExponentBits-1:0] total_exponent;

  if (AccInAlign != 0) begin : gen_aligned_c

    mx_aligned_add #(
      .AlignBits   (AlignBits),
      .SumBits     (SumBits),
      .DistanceBits(DistanceBits),
      .Bits        (TotalBits)
    ) u_add (
      .sum_negative_i (add_sum_negative),
      .sum_i          (add_sum),
      .sum_distance_i (add_distance),
      .c_negative_i   (add_c[31]),
      .c_significand_i({add_c[30:23] != 8'd0, add_c[22:0]}),
      .c_distance_i   (add_c_distance),
      .sign_o         (total_sign),
      .magnitude_o    (total),
      .increment_o    (total_increment)
    );
    assign total_exponent = add_exponent - ExponentBits'(AlignBits);

  end else begin : gen_late_c

    logic unused_late;

    assign unused_late = ^{add_distance, add_c_distance};

    mx_aligned_late_add #(
      .SumBits(SumBits)
    ) u_add (
      .sum_negative_i(add_sum_negative),
      .sum_i         (add_sum),
      .sum_exponent_i(add_exponent - ExponentBits'(AlignBits)),
      .c_i           (add_c),
      .sign_o        (total_sign),
      .magnitude_o   (total),
      .increment_o   (total_increment),
      .exponent_o    (total_exponent)
    );

  end

  logic                           round_valid, round_ready;
  logic                           round_last, round_is_nan, round_is_inf, round_inf_sign;
  logic                           round_sign, round_increment;
  logic [TotalBits-1:0]           round_total;
  logic signed [ExponentBits-1:0] round_exponent;

  mx_pipe_stage #(
    .Width (6 + TotalBits + ExponentBits),
    .Bypass(1 - CutTotal)
  ) u_total_stage (
    .clk_i,
    .rst_ni,
    .valid_i(add_valid),
    .ready_o(add_ready),
    .data_i ({add_last, add_is_nan, add_is_inf, add_inf_sign, total_sign, total_increment, total,
              total_exponent}),
    .valid_o(round_valid),
    .ready_i(round_ready),
    .data_o ({round_last, round_is_nan, round_is_inf, round_inf_sign, round_sign, round_increment,
              round_total, round_exponent})
  );

  ////////////////////////
  // Round              //
  ////////////////////////

  // Within the unit a NaN has NanPattern if that is a Float32; where the result is narrower, the
  // pattern is put in at the end.
  localparam logic [31:0] RunningNan = (ResultBits == 32) ? NanPattern : mx_pkg::Fp32Nan;

  logic [31:0] rounded, value;
  logic        unused_zero, unused_overflow;

  mx_round #(
    .Width         (TotalBits),
    .ExponentBits  (ExponentBits),
    .Result        (AccFormat),
    .Mode          (AccRound),
    .LowestExponent(LowestExponent)
  ) u_round (
    .sign_i        (round_sign),
    .magnitude_i   (round_total),
    .increment_i   (round_increment),
    .lsb_exponent_i(round_exponent),
    .result_o      (rounded),
    .is_zero_o     (unused_zero),
    .overflow_o    (unused_overflow)
  );

  // Every zero is +0, also what was cut to zero.
  assign value = round_is_nan ? RunningNan
      : round_is_inf ? {round_inf_sign, mx_pkg::Fp32Inf}
      : (rounded[30:0] == 31'd0) ? 32'd0 : rounded;

  ////////////////////////
  // Running value      //
  ////////////////////////

  logic [31:0] last_value;

  if (Chained != 0) begin : gen_chained

    logic        valid_q;
    logic [31:0] running_q;

    assign round_ready = !valid_q || ready_i;
    assign valid_o     = valid_q;
    assign running_o   = running_q;
    assign last_value  = running_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid_q <= 1'b0;
      end else if (round_ready) begin
        valid_q <= round_valid && round_last;
      end
    end

    always_ff @(posedge clk_i) begin
      if (round_valid && round_ready) begin
        running_q <= value;
      end
    end

  end else begin : gen_single

    logic unused_last;

    assign unused_last = round_last;
    assign running_o   = 32'd0;

    mx_pipe_stage #(
      .Width (32),
      .Bypass(1 - CutResult)
    ) u_result_stage (
      .clk_i,
      .rst_ni,
      .valid_i(round_valid),
      .ready_o(round_ready),
      .data_i (value),
      .valid_o,
      .ready_i,
      .data_o (last_value)
    );

  end

  if (ResultBits == 32) begin : gen_whole_result

    assign result_o = last_value;

  end else begin : gen_narrow_result

    logic                  last_is_nan;
    logic [ResultBits-1:0] narrowed;

    mx_narrow #(
      .ResultFormat(ResultFormat)
    ) u_narrow (
      .value_i (last_value),
      .result_o(narrowed)
    );

    assign last_is_nan = last_value[30:23] == 8'hFF && last_value[22:0] != '0;
    assign result_o    = last_is_nan ? NanPattern[ResultBits-1:0] : narrowed;

  end

endmodule
