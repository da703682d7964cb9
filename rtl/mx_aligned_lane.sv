// One lane of an align-and-truncate dot product: two element codes in, their exact product and its
// exponent out.
//
//   product  = (-1)^negative_o * magnitude_o * 2^offset_o      in units of the pair's grid unit / 2^Bias
//   exponent = exponent_o - Bias + the sum of the two formats' exponents at offset 0
//
// Bias is the number of float operands: a float's exponent field counts from 1. The exponent of a
// product is the sum of the operands' exponents and not normalised: that of a float never falls
// below the exponent of the smallest normal number, so for floats exponent_o and offset_o are the
// same; the exponent of an INT8 element is that of its leading one, while its offset is 0.
//
// A zero product has magnitude_o 0 and exponent_o 0, which loses or ties every comparison for the
// largest; its offset_o means nothing.
//
// Specials follow IEEE 754: NaN times anything and Inf times zero are NaN; Inf times any other
// number is Inf with the product's sign. With any flag set the other outputs mean nothing.
//
// Width: the magnitude is below 2^product_bits, offset and exponent are at most position_limit.
//
// Combinational.
module mx_aligned_lane #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3
) (
  input  logic [mx_pkg::element_bits(AFormat)-1:0]             a_code_i,
  input  logic [mx_pkg::element_bits(BFormat)-1:0]             b_code_i,
  output logic                                                 negative_o,
  output logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]    magnitude_o,
  output logic [mx_pkg::aligned_position_bits(AFormat, BFormat)-1:0] offset_o,
  output logic [mx_pkg::aligned_position_bits(AFormat, BFormat)-1:0] exponent_o,
  output logic                                                 is_zero_o,
  output logic                                                 is_nan_o,
  output logic                                                 is_positive_inf_o,
  output logic                                                 is_negative_inf_o
);

  localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat);
  localparam int PositionBits = mx_pkg::aligned_position_bits(AFormat, BFormat);

  logic                                         a_negative, b_negative;
  logic [mx_pkg::significand_bits(AFormat)-1:0] a_significand;
  logic [mx_pkg::significand_bits(BFormat)-1:0] b_significand;
  logic [mx_pkg::offset_bits(AFormat)-1:0]      a_field;
  logic [mx_pkg::offset_bits(BFormat)-1:0]      b_field;
  logic                                         a_is_nan, a_is_inf, a_is_zero;
  logic                                         b_is_nan, b_is_inf, b_is_zero;
  logic [mx_pkg::offset_bits(AFormat)-1:0]      unused_a_offset;
  logic [mx_pkg::offset_bits(BFormat)-1:0]      unused_b_offset;

  mx_element_decode #(
    .Format(AFormat)
  ) u_decode_a (
    .code_i       (a_code_i),
    .negative_o   (a_negative),
    .significand_o(a_significand),
    .offset_o     (unused_a_offset),
    .exponent_o   (a_field),
    .is_nan_o     (a_is_nan),
    .is_inf_o     (a_is_inf),
    .is_zero_o    (a_is_zero)
  );

  mx_element_decode #(
    .Format(BFormat)
  ) u_decode_b (
    .code_i       (b_code_i),
    .negative_o   (b_negative),
    .significand_o(b_significand),
    .offset_o     (unused_b_offset),
    .exponent_o   (b_field),
    .is_nan_o     (b_is_nan),
    .is_inf_o     (b_is_inf),
    .is_zero_o    (b_is_zero)
  );

  logic [mx_pkg::significand_bits(AFormat)+mx_pkg::significand_bits(BFormat)-1:0] product;

  mx_multiply #(
    .ABits(mx_pkg::significand_bits(AFormat)),
    .BBits(mx_pkg::significand_bits(BFormat))
  ) u_multiply (
    .a_i      (a_significand),
    .b_i      (b_significand),
    .product_o(product)
  );

  logic unused_top;  // zero, where the product needs fewer bits than its factors together

  assign unused_top = product[$high(product)];

  // What an operand adds to the exponent: its field, or the place of the leading one of INT8.
  logic [PositionBits-1:0] a_exponent, b_exponent;

  if (mx_pkg::is_integer(AFormat) != 0) begin : gen_a_integer
    logic [2:0] a_leading;
    always_comb begin
      casez (a_significand)
        8'b1???_????: a_leading = 3'd7;
        8'b01??_????: a_leading = 3'd6;
        8'b001?_????: a_leading = 3'd5;
        8'b0001_????: a_leading = 3'd4;
        8'b0000_1???: a_leading = 3'd3;
        8'b0000_01??: a_leading = 3'd2;
        8'b0000_001?: a_leading = 3'd1;
        default:      a_leading = 3'd0;
      endcase
    end
    assign a_exponent = PositionBits'(a_leading);
  end else begin : gen_a_float
    assign a_exponent = PositionBits'(a_field);
  end

  if (mx_pkg::is_integer(BFormat) != 0) begin : gen_b_integer
    logic [2:0] b_leading;
    always_comb begin
      casez (b_significand)
        8'b1???_????: b_leading = 3'd7;
        8'b01??_????: b_leading = 3'd6;
        8'b001?_????: b_leading = 3'd5;
        8'b0001_????: b_leading = 3'd4;
        8'b0000_1???: b_leading = 3'd3;
        8'b0000_01??: b_leading = 3'd2;
        8'b0000_001?: b_leading = 3'd1;
        default:      b_leading = 3'd0;
      endcase
    end
    assign b_exponent = PositionBits'(b_leading);
  end else begin : gen_b_float
    assign b_exponent = PositionBits'(b_field);
  end

  assign negative_o  = a_negative ^ b_negative;
  assign magnitude_o = ProductBits'(product);
  assign offset_o    = PositionBits'(a_field) + PositionBits'(b_field);
  assign is_zero_o   = a_is_zero || b_is_zero;
  assign exponent_o  = is_zero_o ? '0 : a_exponent + b_exponent;
  assign is_nan_o    = a_is_nan || b_is_nan || (a_is_inf && b_is_zero) || (a_is_zero && b_is_inf);
  assign is_positive_inf_o = (a_is_inf || b_is_inf) && !negative_o;
  assign is_negative_inf_o = (a_is_inf || b_is_inf) && negative_o;

endmodule
