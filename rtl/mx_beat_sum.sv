// Exact sum of the beats of a block, and the flags of all its lanes.
//
// A block comes in Beats transfers; the sums of all of them are added, and the last one yields the
// block: valid_o only follows valid_i there, and all other beats are taken at once. With Beats = 1
// there is nothing but wires.
//
// flags_i are ORed over the beats.
//
// Latency: 0 cycles from the last beat. Reset: rst_ni, synchronous, active low; drops an unfinished
// block. The registers of sum and flags are not reset: a first beat does not read them.
//
// Width: Width bits hold the sum of one beat, $clog2(Beats) more that of all. A pending sign is
// settled where beats are added.
module mx_beat_sum #(
  parameter int Beats = 1,
  parameter int Width = 42,
  parameter int FlagBits = 4
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,

  input  logic                            valid_i,
  output logic                            ready_o,
  input  logic [Width-1:0]                sum_i,       // two's complement
  input  logic                            negative_i,  // the sum is -sum_i
  input  logic [FlagBits-1:0]             flags_i,

  output logic                            valid_o,
  input  logic                            ready_i,
  output logic [Width+$clog2(Beats)-1:0]  sum_o,
  output logic                            negative_o,
  output logic [FlagBits-1:0]             flags_o
);

  if (Beats == 1) begin : gen_wires

    logic unused_clock;

    assign unused_clock = clk_i || rst_ni;
    assign valid_o      = valid_i;
    assign ready_o      = ready_i;
    assign sum_o        = sum_i;
    assign negative_o   = negative_i;
    assign flags_o      = flags_i;

  end else begin : gen_sum

    localparam int CountBits = $clog2(Beats);
    localparam int Bits = Width + CountBits;

    logic [CountBits-1:0] count_q;
    logic [Bits-1:0]      sum_q;
    logic [FlagBits-1:0]  flags_q;
    logic                 is_first, is_last;

    logic [Bits-1:0]      partial, addend;

    assign partial  = is_first ? '0 : sum_q;
    assign addend   = Bits'($signed(sum_i)) ^ {Bits{negative_i}};
    assign is_first = count_q == '0;
    assign is_last  = count_q == '1;
    assign valid_o  = valid_i && is_last;
    assign ready_o  = !is_last || ready_i;

    mx_add #(
      .Width(Bits)
    ) u_add (
      .a_i    (partial),
      .b_i    (addend),
      .carry_i(negative_i),
      .sum_o  (sum_o)
    );

    assign negative_o = 1'b0;
    assign flags_o    = flags_i | (is_first ? '0 : flags_q);

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        count_q <= '0;
      end else if (valid_i && ready_o) begin
        count_q <= count_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (valid_i && ready_o) begin
        sum_q   <= sum_o;
        flags_q <= flags_o;
      end
    end

  end

endmodule
