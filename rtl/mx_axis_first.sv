// Tells the first transfer of an AXI4-Stream packet: that after a tlast, and the first after reset.
//
// first_o belongs to the transfer on the stream's signals now; it changes after clock edges only.
//
// Reset: rst_ni, synchronous, active low.
module mx_axis_first (
  input  logic clk_i,
  input  logic rst_ni,

  // Copies of the stream's tvalid, tready and tlast.
  input  logic valid_i,
  input  logic ready_i,
  input  logic last_i,

  output logic first_o
);

  logic first_q;

  assign first_o = first_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q <= 1'b1;
    end else if (valid_i && ready_i) begin
      first_q <= last_i;
    end
  end

endmodule
