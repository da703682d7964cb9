// Collects the beats of a group and hands them on once all are there, with what is known then only.
//
// A group comes in Beats beats. beat_data_i is kept for each; group_i of a group's last beat is kept
// for the group and accompanies every one of its beats on the way out. Two groups are held: while
// one is read the next is written, so that a beat a cycle is sustained.
//
// Latency: the first beat of a group comes out the cycle after its last one went in. Throughput: one
// beat a cycle. Handshake: a transfer happens on a rising clock edge with valid and ready high.
// Reset: rst_ni, synchronous, active low, empties the buffer; data are not reset.
module mx_aligned_buffer #(
  parameter int Beats = 4,       // a power of two, at least 2
  parameter int BeatBits = 32,
  parameter int GroupBits = 32
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  logic                 valid_i,
  output logic                 ready_o,
  output logic                 first_beat_o,  // the next beat taken is the first of a group
  input  logic [BeatBits-1:0]  beat_i,
  input  logic [GroupBits-1:0] group_i,

  output logic                 valid_o,
  input  logic                 ready_i,
  output logic                 beat_is_first_o,
  output logic                 beat_is_last_o,
  output logic [BeatBits-1:0]  beat_o,
  output logic [GroupBits-1:0] group_o
);

  localparam int CountBits = $clog2(Beats);

  // The upper bit of a counter tells the bank, the lower ones the beat.
  logic [CountBits:0]   write_q, read_q;
  logic [1:0]           full_q;
  logic [BeatBits-1:0]  beats_q [2*Beats];
  logic [GroupBits-1:0] even_group_q, odd_group_q;
  logic                 write_last, read_last;
  logic                 write_bank, read_bank;

  assign write_bank = write_q[CountBits];
  assign read_bank  = read_q[CountBits];
  assign write_last = write_q[CountBits-1:0] == '1;
  assign read_last  = read_q[CountBits-1:0] == '1;

  assign ready_o         = !full_q[write_bank];
  assign valid_o         = full_q[read_bank];
  assign first_beat_o    = write_q[CountBits-1:0] == '0;
  assign beat_is_first_o = read_q[CountBits-1:0] == '0;
  assign beat_is_last_o  = read_last;
  assign beat_o          = beats_q[read_q];
  assign group_o         = read_bank ? odd_group_q : even_group_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q  <= '0;
      full_q  <= '0;
    end else begin
      if (valid_i && ready_o) begin
        write_q <= write_q + 1'b1;
        if (write_last) begin
          full_q[write_bank] <= 1'b1;
        end
      end
      if (valid_o && ready_i) begin
        read_q <= read_q + 1'b1;
        if (read_last) begin
          full_q[read_bank] <= 1'b0;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) begin
      beats_q[write_q] <= beat_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o && write_last) begin
      if (write_bank) begin
        odd_group_q <= group_i;
      end else begin
        even_group_q <= group_i;
      end
    end
  end

endmodule
