// One pipeline register with valid/ready on both sides.
//
// A transfer happens on a rising clock edge with valid and ready high. valid_o never waits for
// ready_i, and while valid_o is high and ready_i low, valid_o and data_o hold. ready_o is high
// when the register is empty or is being emptied, so an empty stage fills even while the output
// is blocked (bubbles collapse) and one transfer a cycle is sustained.
//
// ready_o depends on ready_i through one OR gate. A chain of N stages therefore has a combinational
// path of N gates from its last ready_i to its first ready_o, and none from valid_i or data_i.
//
// Latency: 1 cycle. Reset: rst_ni, synchronous, active low, empties the register. data_q is not
// reset: it is written only together with valid_q and read only while valid_q is set.
module mx_pipe_stage #(
  parameter int Width = 32
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

endmodule
