// Accumulates scaled block sums and a Float32 number c exactly, over a whole dot product.
//
//   total = (-1)^negative_o * total_o * 2^GridExponent = c + sum over blocks of
//           (-1)^negative_i * sum_i * 2^(scale_sum_i + GridExponent)
//
// One fixed-point register that spans all exponents which scales give: a block sum goes to its
// place by its scale codes alone. c is taken with the block that has first_i, which starts a new
// total; its sign stays apart, so that it enters as a magnitude. The block with last_i yields the
// total.
//
// NaN and Inf are kept as flags: is_nan_o for a NaN, or infinities of both signs, among blocks and c;
// else is_inf_o with the sign inf_negative_o.
//
// Latency: 1 cycle from an accepted last block to valid_o. Throughput: a block a cycle. Handshake:
// that of mx_pipe_stage. Reset: rst_ni, synchronous, active low, drops the total; the registers of
// data are not reset.
//
// Width: with scale codes up to 254 a block sum is below 2^(SumBits + 508) units, so that
// 2^CapacityBits - 1 blocks and c, which is below 2^(128 - GridExponent) <= 2^414 units, stay below
// 2^(SumBits + 508 + CapacityBits); one more bit is the sign. Beyond that many blocks the total wraps
// around. The LSB of c is never below the grid: it is at least 2^-149, and GridExponent at most -256.
module mx_exact_accumulate #(
  parameter int SumBits = 41,        // magnitude bits of a block sum
  parameter int GridExponent = -272,
  parameter int CapacityBits = 16
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,

  input  logic                                valid_i,
  output logic                                ready_o,
  input  logic                                first_i,
  input  logic                                last_i,
  input  logic [SumBits:0]                    sum_i,  // two's complement
  input  logic                                negative_i,
  input  logic [mx_pkg::ScaleBits:0]          scale_sum_i,
  input  logic                                is_nan_i,
  input  logic                                is_inf_i,
  input  logic                                inf_negative_i,
  input  logic [31:0]                         c_i,

  output logic                                valid_o,
  input  logic                                ready_i,
  output logic [SumBits+508+CapacityBits:0]   total_o,  // two's complement
  output logic                                negative_o,
  output logic                                is_nan_o,
  output logic                                is_inf_o,
  output logic                                inf_negative_o
);

  localparam int Bits = SumBits + 509 + CapacityBits;
  // Place of a Float32 LSB with exponent field 0, as if the field counted on.
  localparam int FloatPlace = -150 - GridExponent;

  logic            valid_q, negative_q, is_nan_q, has_positive_inf_q, has_negative_inf_q;
  logic [Bits-1:0] total_q;

  assign valid_o        = valid_q;
  assign ready_o        = !valid_q || ready_i;
  assign total_o        = total_q;
  assign negative_o     = negative_q;
  assign is_nan_o       = is_nan_q || (has_positive_inf_q && has_negative_inf_q);
  assign is_inf_o       = has_positive_inf_q || has_negative_inf_q;
  assign inf_negative_o = has_negative_inf_q;

  ///////////////////
  // Place and add //
  ///////////////////

  logic            c_is_normal, c_is_special, c_is_nan, c_is_inf;
  logic [7:0]      c_field;
  logic [Bits-1:0] c_placed, so_far, placed, addend, total;
  logic            negative, subtract;

  assign c_is_normal  = c_i[30:23] != 8'd0;
  assign c_field      = {c_i[30:24], c_i[23] || !c_is_normal};
  assign c_is_special = c_i[30:23] == 8'hFF;
  assign c_is_nan     = c_is_special && c_i[22:0] != '0;
  assign c_is_inf     = c_is_special && c_i[22:0] == '0;
  assign c_placed     = Bits'({c_is_normal, c_i[22:0]}) << FloatPlace << c_field;

  assign negative = first_i ? c_i[31] : negative_q;
  assign so_far   = first_i ? c_placed : total_q;
  assign placed   = Bits'($signed(sum_i)) << scale_sum_i;
  assign subtract = negative_i ^ negative;
  assign addend   = placed ^ {Bits{subtract}};

  mx_add #(
    .Width(Bits)
  ) u_add (
    .a_i    (so_far),
    .b_i    (addend),
    .carry_i(subtract),
    .sum_o  (total)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
    end else if (ready_o) begin
      valid_q <= valid_i && last_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) begin
      total_q            <= total;
      negative_q         <= negative;
      is_nan_q           <= is_nan_i || (first_i ? c_is_nan : is_nan_q);
      has_positive_inf_q <= (is_inf_i && !inf_negative_i)
          || (first_i ? c_is_inf && !c_i[31] : has_positive_inf_q);
      has_negative_inf_q <= (is_inf_i && inf_negative_i)
          || (first_i ? c_is_inf && c_i[31] : has_negative_inf_q);
    end
  end

endmodule
