// mx_narrow: the number of the format nearest to a Float32 number, ties to even.
module narrow #(
  parameter int ResultFormat = 9
) (
  input  logic [31:0]                                 value_i,
  output logic [formal_formats::bits(ResultFormat)-1:0] result_o,
  output logic                                        holds
);

  localparam int Bits = formal_formats::bits(ResultFormat);

  mx_narrow #(.ResultFormat(ResultFormat)) u_narrow (.value_i, .result_o);

  logic               is_right, is_beyond;
  logic signed [9:0]  exponent;

  assign exponent = 10'($signed({1'b0, (value_i[30:23] == '0) ? 8'd1 : value_i[30:23]})) - 10'd150;

  spec_nearest #(.Width(25), .ExponentBits(10), .Result(ResultFormat)) u_spec (
    .halves_i({value_i[30:23] != '0, value_i[22:0], 1'b0}), .exponent_i(exponent), .code_i(result_o[Bits-2:0]),
    .is_right_o(is_right), .is_beyond_o(is_beyond)
  );

  assign holds = (value_i[30:0] > 31'h7F80_0000) ? result_o == Bits'(formal_formats::quiet_nan(ResultFormat))
      : result_o[Bits-1] == value_i[31] && ((value_i[30:23] == 8'hFF || is_beyond)
          ? result_o[Bits-2:0] == (Bits-1)'(formal_formats::largest_code(ResultFormat) + 1) : is_right);

endmodule
