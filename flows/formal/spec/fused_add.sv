// mx_fused_add: with S the exact sum of block sum and c, and u the unit of what comes out, N of them,
//
//   S = (-1)^sign * N * u, or N is odd and S lies strictly between (N - 1) * u and (N + 1) * u.
//
// N is 0 only where S is. And N can be rounded as if it were S, see mx_round: it is exact, or has 26
// bits at least, or u is the unit under which the field 1 of Float32 lies 26 bits above bit 0.
module fused_add #(
  parameter int SumBits = 13,
  parameter int GridExponent = -256
) (
  input  logic [SumBits:0]                       sum_i,
  input  logic                                   negative_i,
  input  logic [8:0]                             scale_sum_i,
  input  logic [31:0]                            c_i,
  output logic                                   sign_o,
  output logic [mx_pkg::fused_bits(SumBits)-1:0] magnitude_o,
  output logic                                   increment_o,
  output logic signed [10:0]                     exponent_o,
  output logic                                   assumed,
  output logic                                   holds
);

  localparam int FusedBits = mx_pkg::fused_bits(SumBits);

  mx_fused_add #(.SumBits(SumBits), .GridExponent(GridExponent)) u_add (
    .sum_i, .negative_i, .scale_sum_i, .c_i, .sign_o, .magnitude_o, .increment_o, .exponent_o
  );

  // All of it in units of u / 2^Below. A number that lies farther below u than its own bits reach is less
  // than u wherever it lies, and one that is moved up by more than FusedBits places is more than any N * u:
  // places beyond these change nothing.
  localparam int SumLength = SumBits + 1;  // |sum| < 2^SumLength
  localparam int Below = ((SumLength > 24) ? SumLength : 24) + 1;
  localparam int Above = FusedBits + 1;
  localparam int Bits = 2 * Below + Above + 2;

  logic signed [12:0]     unit_exponent, sum_room, c_room, sum_places, c_places;
  logic signed [Bits-1:0] sum, c, total, difference, unit;
  logic [FusedBits:0]     number;

  assign unit_exponent = 13'(exponent_o) + 13'(mx_pkg::fused_exponent(SumBits));
  assign sum_room      = 13'($signed({1'b0, scale_sum_i})) + 13'(GridExponent) - unit_exponent;
  assign c_room        = 13'($signed({1'b0, (c_i[30:23] == '0) ? 8'd1 : c_i[30:23]})) - 13'd150 - unit_exponent;
  assign sum_places    = (sum_room < -Below) ? 13'd0 : (sum_room > Above) ? 13'(Below + Above) : sum_room + 13'(Below);
  assign c_places      = (c_room < -Below) ? 13'd0 : (c_room > Above) ? 13'(Below + Above) : c_room + 13'(Below);

  logic signed [SumLength:0] signed_sum;
  logic signed [24:0]        signed_c;

  assign signed_sum = negative_i ? -((SumLength+1)'($signed(sum_i))) : (SumLength+1)'($signed(sum_i));
  assign signed_c   = c_i[31] ? -(25'({c_i[30:23] != '0, c_i[22:0]})) : 25'({c_i[30:23] != '0, c_i[22:0]});
  assign sum        = Bits'(signed_sum) <<< sum_places;
  assign c          = Bits'(signed_c) <<< c_places;
  assign total      = sum + c;
  assign unit       = Bits'(1) << Below;
  assign number     = (FusedBits+1)'(magnitude_o) + (FusedBits+1)'(increment_o);
  assign difference = (sign_o ? -total : total) - $signed({1'b0, Bits'(number) << Below});

  logic is_exact, is_jammed;

  assign is_exact  = difference == 0;
  assign is_jammed = number[0] && difference < unit && difference > -unit;
  assign assumed   = c_i[30:23] != 8'hFF && sum_i != {1'b1, {SumBits{1'b0}}};
  assign holds     = (is_exact || is_jammed) && (number == '0) == (total == 0)
      && exponent_o >= 1 && (is_exact || exponent_o == 1 || (number >> 25) != '0);

endmodule
