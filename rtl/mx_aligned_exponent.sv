// Exponent of a Float32 for an alignment: that of its leading one, -126 for subnormals.
//
// Zero has ZeroExponent: the rule's lower bound on the largest exponent where it has one, since a
// zero running value brings that into force; else one below all others. For Inf and NaN the exponent
// means nothing.
//
// Combinational.
module mx_aligned_exponent #(
  parameter int ZeroExponent = mx_pkg::AlignedLowest
) (
  input  logic [31:0]                                    value_i,
  output logic signed [mx_pkg::AlignedExponentBits-1:0] exponent_o
);

  localparam int ExponentBits = mx_pkg::AlignedExponentBits;

  logic is_normal, unused_sign;

  assign is_normal   = value_i[30:23] != 8'd0;
  assign unused_sign = value_i[31];

  assign exponent_o = (value_i[30:0] == 31'd0) ? ExponentBits'(ZeroExponent)
      : $signed({3'd0, value_i[30:24], value_i[23] || !is_normal}) - $signed(ExponentBits'(127));

endmodule
