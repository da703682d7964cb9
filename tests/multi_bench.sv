// Plays blocks from a file through mx_dot_multi, one a cycle, and prints its results; see
// test_dot_multi.py. A line holds first, last, formats, scales, c and elements of one block.
module multi_bench;

  localparam int Bits = 2 + 3 + 3 + 8 + 8 + 32 + 256 + 256;
  localparam int Blocks = 1 << 12;

  logic            clk = 1'b0;
  logic            rst_n = 1'b0;
  logic [Bits-1:0] blocks[Blocks];
  logic [Bits-1:0] block;
  logic            valid, ready, result_valid;
  logic [31:0]     result;
  int              count, next;

  always #1 clk = !clk;

  assign valid = rst_n && next < count;
  assign block = blocks[next];

  mx_dot_multi u_dut (
    .clk_i       (clk),
    .rst_ni      (rst_n),
    .valid_i     (valid),
    .ready_o     (ready),
    .first_i     (block[567]),
    .last_i      (block[566]),
    .a_format_i  (block[565:563]),
    .b_format_i  (block[562:560]),
    .a_scale_i   (block[559:552]),
    .b_scale_i   (block[551:544]),
    .c_i         (block[543:512]),
    .a_elements_i(block[511:256]),
    .b_elements_i(block[255:0]),
    .valid_o     (result_valid),
    .ready_i     (1'b1),
    .result_o    (result)
  );

  initial begin
    if ($value$plusargs("count=%d", count) == 0) begin
      $fatal(1, "multi_bench: +count= is missing.");
    end
    $readmemh("blocks.hex", blocks, 0, count - 1);
    next = 0;
    repeat (3) @(negedge clk);
    rst_n = 1'b1;
    repeat (count + 20) @(negedge clk);
    $finish;
  end

  always @(posedge clk) begin
    if (valid && ready) begin
      next <= next + 1;
    end
    if (rst_n && result_valid) begin
      $display("result %h", result);
    end
  end

endmodule
