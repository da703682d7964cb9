// The exact sum of the 32 products of two blocks, in units of the product of the smallest elements; and what
// in it is no number. Scales that are NaN make NaN. The bits are enough: a product is below 2^(Bits - 6).
module spec_block_sum #(
  parameter int AFormat = 1,
  parameter int BFormat = 1,
  parameter int Bits = mx_pkg::sum_bits(AFormat, BFormat) + 1
) (
  input  logic [32*formal_formats::bits(AFormat)-1:0] a_elements_i,
  input  logic [7:0]                                  a_scale_i,
  input  logic [32*formal_formats::bits(BFormat)-1:0] b_elements_i,
  input  logic [7:0]                                  b_scale_i,
  output logic signed [Bits-1:0]                      sum_o,
  output logic                                        is_nan_o,
  output logic                                        is_inf_o,        // and not NaN
  output logic                                        inf_negative_o,
  output logic                                        all_negative_o
);

  localparam int ABits = formal_formats::bits(AFormat);
  localparam int BBits = formal_formats::bits(BFormat);

  logic [32*Bits-1:0] totals;
  logic [31:0]        negative, is_nan, is_inf;
  logic               has_plus_inf, has_minus_inf;

  for (genvar k = 0; k < 32; k++) begin : gen_lane

    logic [Bits-1:0] product;

    spec_signed_product #(.AFormat(AFormat), .BFormat(BFormat), .Bits(Bits)) u_product (
      .a_code_i(9'(a_elements_i[k*ABits +: ABits])), .b_code_i(9'(b_elements_i[k*BBits +: BBits])),
      .product_o(product), .negative_o(negative[k]), .is_nan_o(is_nan[k]), .is_inf_o(is_inf[k])
    );

    // Four at a time, then the sums of four in pairs: every order gives the same.
    if (k % 4 == 0) begin : gen_first
      assign totals[k*Bits +: Bits] = product;
    end else begin : gen_next
      assign totals[k*Bits +: Bits] = totals[(k-1)*Bits +: Bits] + product;
    end

  end

  for (genvar level = 0; level <= 3; level++) begin : gen_level
    logic [(8>>level)*Bits-1:0] sums;
    for (genvar g = 0; g < (8 >> level); g++) begin : gen_sum
      if (level == 0) begin : gen_four
        assign sums[g*Bits +: Bits] = totals[(4*g+3)*Bits +: Bits];
      end else begin : gen_pair
        assign sums[g*Bits +: Bits] = gen_level[level-1].sums[2*g*Bits +: Bits]
            + gen_level[level-1].sums[(2*g+1)*Bits +: Bits];
      end
    end
  end

  assign has_plus_inf   = |(is_inf & ~negative);
  assign has_minus_inf  = |(is_inf & negative);
  assign sum_o          = gen_level[3].sums;
  assign is_nan_o       = a_scale_i == 8'hFF || b_scale_i == 8'hFF || (|is_nan) || (has_plus_inf && has_minus_inf);
  assign is_inf_o       = !is_nan_o && (has_plus_inf || has_minus_inf);
  assign inf_negative_o = has_minus_inf;
  assign all_negative_o = &negative;

endmodule
