// A unit with the ports of mx_dot and nothing of its arithmetic, for tests of the bench: the result is the
// exclusive or of the low operand words and the scales. tests/test_bench.py puts the connections of
// its core to the ports at the marked place, sound ones or broken ones.
module stub_core (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        valid_i,
  output logic        ready_o,
  input  logic [31:0] data_i,
  output logic        valid_o,
  input  logic        ready_i,
  output logic [31:0] data_o
);
  assign ready_o = !valid_o || ready_i;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_o <= 1'b0;
    else if (ready_o) valid_o <= valid_i;
    if (ready_o) data_o <= data_i;
  end
endmodule

module stream_stub (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         valid_i,
  output logic         ready_o,
  input  logic [127:0] a_elements_i,
  input  logic [7:0]   a_scale_i,
  input  logic [127:0] b_elements_i,
  input  logic [7:0]   b_scale_i,
  output logic         valid_o,
  input  logic         ready_i,
  output logic [31:0]  result_o
);
  logic        open, core_reset_n, core_ready, core_valid, take;
  logic [31:0] core_result;
  logic [15:0] taken;    // results taken from the core so far, never reset
  logic        stalled;  // a result was offered and not taken in the cycle before

  initial begin
    taken   = '0;
    stalled = 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (core_valid && take) taken <= taken + 1'b1;
    stalled <= valid_o && !ready_i;
  end

  stub_core u_core (
    .clk_i,
    .rst_ni (core_reset_n),
    .valid_i(valid_i && open),
    .ready_o(core_ready),
    .data_i (a_elements_i[31:0] ^ b_elements_i[31:0] ^ {16'd0, a_scale_i, b_scale_i}),
    .valid_o(core_valid),
    .ready_i(take),
    .data_o (core_result)
  );

  @FAULT@
endmodule
