// mx_dequantize_lane: the Float32 number is exactly the element of the table times 2^(scale - 127).
module dequantize #(
  parameter int Format = 1
) (
  input  logic [mx_pkg::element_bits(Format)-1:0] code_i,
  input  logic [7:0]                              scale_i,
  output logic [31:0]                             value_o,
  output logic                                    holds
);

  mx_dequantize_lane #(.Format(Format)) u_lane (.code_i, .scale_i, .value_o);

  logic       is_nan, is_inf, negative;
  logic [7:0] odd;
  logic [5:0] power;

  formal_element #(.Format(Format)) u_table (
    .code_i(9'(code_i)), .is_nan_o(is_nan), .is_inf_o(is_inf), .negative_o(negative), .odd_o(odd), .power_o(power)
  );

  // odd * 2^exponent against significand * 2^value_exponent: exponents differ by 23 at most where the
  // numbers are the same.
  logic signed [11:0] exponent, value_exponent, places;
  logic [23:0]        significand;
  logic               is_same, is_beyond;

  assign exponent       = 12'(power) + 12'(scale_i) + 12'(formal_formats::quantum_exponent(Format) - 127);
  assign significand    = {value_o[30:23] != '0, value_o[22:0]};
  assign value_exponent = 12'($signed({1'b0, (value_o[30:23] == '0) ? 8'd1 : value_o[30:23]})) - 12'd150;
  assign places         = exponent - value_exponent;
  assign is_same        = places >= 0 && places <= 23 && 32'(odd) << places[4:0] == 32'(significand);

  // The largest number is below 2^128: odd * 2^exponent is if exponent + length of odd <= 128.
  always_comb begin
    is_beyond = 1'b0;
    for (int k = 0; k < 8; k++) begin
      if (odd[k] && exponent + 12'(k) >= 12'sd128) begin
        is_beyond = 1'b1;
      end
    end
  end

  assign holds = (is_nan || scale_i == 8'hFF) ? value_o == 32'h7FC0_0000
      : (is_inf || is_beyond) ? value_o == {negative, 31'h7F80_0000}
      : (odd == '0) ? value_o == {negative, 31'd0}
      : value_o[31] == negative && value_o[30:23] != 8'hFF && is_same;

endmodule
