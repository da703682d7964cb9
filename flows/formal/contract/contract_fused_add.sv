// mx_fused_add: with S the exact sum of block sum and c, and N = magnitude + increment units u,
//
//   S = (-1)^sign * N * u, or N is odd and S lies strictly between (N - 1) * u and (N + 1) * u.
//
// N is 0 only where S is. And N can be rounded as if it were S, see mx_round: it is exact, or has 26
// bits at least, or u is the unit under which the field 1 of Float32 lies 26 bits above bit 0.
module contract_fused_add #(
  parameter int SumBits = 41,
  parameter int GridExponent = -272
) (
  input  logic [SumBits:0]                       sum_i,
  input  logic                                   negative_i,
  input  logic [8:0]                             scale_sum_i,
  input  logic [31:0]                            c_i,
  input  logic                                   sign_o,
  input  logic [mx_pkg::fused_bits(SumBits)-1:0] magnitude_o,
  input  logic                                   increment_o,
  input  logic signed [10:0]                     exponent_o,
  output logic [7:0]                             case_o,
  output logic                                   assumed,
  output logic                                   holds
);

  localparam int FusedBits = mx_pkg::fused_bits(SumBits);
  localparam int Below = SumBits + 28 + ((SumBits > 24) ? SumBits : 24);
  localparam int Places = Below - (FusedBits - 2);  // of u above the unit of S
  localparam int Bits = Below + 4;

  logic                   negative;
  logic [Bits-2:0]        magnitude;
  logic signed [12:0]     exponent, top;
  logic signed [SumBits+1:0] sum;

  assign sum = (SumBits+2)'($signed(sum_i));

  spec_total #(.SumBits(SumBits), .GridExponent(GridExponent)) u_total (
    .value_i(negative_i ? -sum : sum), .scale_sum_i, .c_i, .negative_o(negative), .magnitude_o(magnitude),
    .exponent_o(exponent), .top_o(top)
  );

  logic [FusedBits:0]     number;
  logic signed [Bits-1:0] difference, unit;
  logic                   is_exact, is_jammed;

  assign number     = (FusedBits+1)'(magnitude_o) + (FusedBits+1)'(increment_o);
  assign unit       = Bits'(1) << Places;
  assign difference = $signed({1'b0, magnitude}) - $signed({1'b0, (Bits-1)'(number) << Places});
  assign is_exact   = difference == 0;
  assign is_jammed  = number[0] && difference < unit && difference > -unit;
  assign assumed    = c_i[30:23] != 8'hFF && sum_i != {1'b1, {SumBits{1'b0}}};
  assign holds      = (is_exact || is_jammed) && (number == '0) == (magnitude == '0)
      && (number == '0 || sign_o == negative) && 13'(exponent_o) == top && exponent_o >= 1
      && (is_exact || exponent_o == 1 || (number >> 25) != '0);

  // Places from c's field up to that of the value, those beyond the windows as one.
  localparam int Far = SumBits + 30;
  logic signed [12:0] gap;
  assign gap    = 13'($signed({1'b0, scale_sum_i})) + 13'(GridExponent + SumBits - 1 + 127)
      - 13'($signed({1'b0, (c_i[30:23] == '0) ? 8'd1 : c_i[30:23]}));
  assign case_o = 8'(((gap < -Far) ? -Far : (gap > Far) ? Far : gap) + Far);

endmodule
