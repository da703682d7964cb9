// mx_element_widen: the E5M3 code stands for the same odd number, at a power that differs from the
// element's by the mantissa bits that E5M3 has more; NaN, Inf and signs are kept. An INT8 element leaves
// its sign and a zero.
module widen #(
  parameter int Format = 1
) (
  input  logic [7:0] code_i,
  output logic [8:0] code_o,
  output logic       holds
);

  localparam int Bits = formal_formats::bits(Format);

  mx_element_widen u_widen (.code_i, .format_i(3'(Format)), .code_o);

  logic       is_nan, is_inf, negative, wide_is_nan, wide_is_inf, wide_negative;
  logic [7:0] odd, wide_odd;
  logic [5:0] power, wide_power;

  formal_element #(.Format(Format)) u_element (
    .code_i(9'(code_i[Bits-1:0])), .is_nan_o(is_nan), .is_inf_o(is_inf), .negative_o(negative), .odd_o(odd),
    .power_o(power)
  );

  formal_element #(.Format(mx_pkg::E5M3)) u_wide (
    .code_i(code_o), .is_nan_o(wide_is_nan), .is_inf_o(wide_is_inf), .negative_o(wide_negative), .odd_o(wide_odd),
    .power_o(wide_power)
  );

  if (Format == mx_pkg::INT8) begin : gen_integer
    assign holds = code_o == {code_i[7], 8'd0};
  end else begin : gen_float
    assign holds = wide_is_nan == is_nan && wide_is_inf == is_inf
        && (is_nan || (wide_negative == negative && (is_inf || (wide_odd == odd
            && (odd == '0 || wide_power == power + 6'(3 - formal_formats::mantissa_bits(Format)))))));
  end

endmodule
