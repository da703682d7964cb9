// Two-place buffer with valid/ready on both sides and no combinational path between them.
//
// A transfer happens on a rising clock edge with valid and ready high. ready_o, valid_o and data_o
// are registers, ready_o inverted: what ready_i does in a cycle ready_o shows in the next, and the
// second place takes the transfer that meanwhile came in. One transfer a cycle is sustained.
// mx_pipe_stage is half of this: one place, and ready_o waits for ready_i in the same cycle.
//
// Latency: 1 cycle. Reset: rst_ni, synchronous, active low, empties the buffer; data registers are
// not reset.
module mx_skid_buffer #(
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

  // The spare is filled only while the front is, and empties into it first.
  logic             front_valid_q, spare_valid_q;
  logic [Width-1:0] front_q, spare_q;
  logic             front_moves;

  assign ready_o     = !spare_valid_q;
  assign valid_o     = front_valid_q;
  assign data_o      = front_q;
  assign front_moves = !front_valid_q || ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      front_valid_q <= 1'b0;
      spare_valid_q <= 1'b0;
    end else if (front_moves) begin
      front_valid_q <= spare_valid_q || valid_i;
      spare_valid_q <= 1'b0;
    end else begin
      spare_valid_q <= spare_valid_q || valid_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (front_moves) begin
      front_q <= spare_valid_q ? spare_q : data_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!spare_valid_q) begin
      spare_q <= data_i;
    end
  end

`ifndef SYNTHESIS
  initial begin
    if (Width < 1) begin
      $fatal(1, "mx_skid_buffer: Width is %0d; it must be at least 1.", Width);
    end
  end
`endif

endmodule
