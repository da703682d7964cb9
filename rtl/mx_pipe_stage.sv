// One pipeline register with valid/ready on both sides, or with Bypass = 1 wires in its place.
//
// A transfer happens on a rising clock edge with valid and ready high. valid_o never waits for
// ready_i, and while valid_o is high and ready_i low, valid_o and data_o hold. ready_o is high
// when the register is empty or is being emptied, so an empty stage fills even while the output
// is blocked (bubbles collapse) and one transfer a cycle is sustained.
//
// ready_o depends on ready_i through one OR gate. A chain of N stages therefore has a combinational
// path of N gates from its last ready_i to its first ready_o, and none from valid_i or data_i.
//
// With Bypass = 1 each output is the input of its name: a unit's parameter Depth so decides which of
// its stages are registers.
//
// Latency: 1 cycle; with Bypass 0. Reset: rst_ni, synchronous, active low, empties the register.
// data_q is not reset: it is written only together with valid_q and read only while valid_q is set.
module mx_pipe_stage #(
  parameter int Width = 32,
  parameter int Bypass = 0
) (
  input  logic             clk_i,
  input  logic             rst_ni,

  input  logic             valid_i,
  output logic             ready_o,
  input  logic [Width-1:0] data_i,

  output logic             valid_o,
  input  logic             ready_i,
  output logic [Width-1:0] data_o
);

  if (Bypass != 0) begin : gen_wires

    logic unused_clock;

    assign ready_o      = ready_i;
    assign valid_o      = valid_i;
    assign data_o       = data_i;
    assign unused_clock = clk_i || rst_ni;

  end else begin : gen_register

    logic             valid_q;
    logic [Width-1:0] data_q;

    assign ready_o = !valid_q || ready_i;
    assign valid_o = valid_q;
    assign data_o  = data_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid_q <= 1'b0;
      end else if (ready_o) begin
        valid_q <= valid_i;
      end
    end

    always_ff @(posedge clk_i) begin
      if (valid_i && ready_o) begin
        data_q <= data_i;
      end
    end

  end

`ifndef SYNTHESIS
  initial begin
    if (Bypass != 0 && Bypass != 1) begin
      $fatal(1, "mx_pipe_stage: Bypass is %0d; it must be 0 or 1.", Bypass);
    end
  end
`endif

endmodule
