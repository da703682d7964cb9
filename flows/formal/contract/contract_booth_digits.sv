// The product of two INT8 elements is the sum of the terms of the digits of one of them.
module contract_booth_digits #(
  parameter int Bits = 66
) (
  input  logic [8:0]      a_code_i,
  input  logic [8:0]      b_code_i,
  input  logic [Bits-1:0] product_o,
  input  logic            negative_o,
  input  logic            is_nan_o,
  input  logic            is_inf_o,
  output logic            assumed,
  output logic            holds
);

  for (genvar k = 0; k < 4; k++) begin : gen_digit
    logic [Bits-1:0] term;
    spec_booth_term #(.Digit(k), .Bits(Bits)) u_term (.a_i(a_code_i[7:0]), .b_i(b_code_i[7:0]), .term_o(term));
  end

  assign assumed = !a_code_i[8] && !b_code_i[8];
  assign holds   = product_o == gen_digit[0].term + (gen_digit[1].term << 2) + (gen_digit[2].term << 4)
      + (gen_digit[3].term << 6) && negative_o == (a_code_i[7] != b_code_i[7]) && !is_nan_o && !is_inf_o;

endmodule
