// Numbers of the align-and-truncate units that follow from the element formats and the rule.
//
// The exponent of a product is a sum of two element exponents. With X the exponent of both scales
// it is  p - bias + base + X  for a position p from 0 to position_limit.
package mx_aligned_pkg;

  // Values of the parameter ScaleApply: the model's scale_apply.
  localparam int ProductExponent = 0;  // "product_exponent": scales are part of each product
  localparam int GroupExponent = 1;    // "group_exponent": and the only exponent of exact sums
  localparam int NoScale = 2;          // "epilogue_tensor": elements without block scales

  // Exponents, signed: products from -28 - 254 to 30 + 256, c from -126 to 127, the lower bound
  // ExpFloor and Lowest, and differences of any two of them.
  localparam int ExponentBits = 11;
  localparam int ScaleExponentBits = 10;  // sum of two scale exponents: -254 to 256
  // Below every exponent that occurs; stands for the exponent of what is not there.
  localparam int Lowest = -500;

  // Float operands, each of which has exponent fields from 1.
  function automatic int bias(input int a_format, input int b_format);
    bias = 2 - mx_pkg::is_integer(a_format) - mx_pkg::is_integer(b_format);
  endfunction

  // Exponent of an element at offset 0: of the smallest normal number of a float, of the last
  // bit of INT8.
  function automatic int least_exponent(input int format);
    least_exponent = mx_pkg::quantum_exponent(format) + mx_pkg::mantissa_bits(format);
  endfunction

  function automatic int base(input int a_format, input int b_format);
    base = least_exponent(a_format) + least_exponent(b_format);
  endfunction

  // Fraction bits of a product of two significands.
  function automatic int fraction_bits(input int a_format, input int b_format);
    fraction_bits = mx_pkg::mantissa_bits(a_format) + mx_pkg::mantissa_bits(b_format);
  endfunction

  // Largest distance of an element's exponent above least_exponent: 7 for INT8, whose 0x80 is -2.0.
  function automatic int span(input int format);
    span = (mx_pkg::is_integer(format) != 0) ? 7 : mx_pkg::max_offset(format);
  endfunction

  // Width of a position, also one of Inf and NaN codes.
  function automatic int position_bits(input int a_format, input int b_format);
    position_bits = $clog2((1 << field_bits(a_format)) + (1 << field_bits(b_format)) - 1);
  endfunction

  function automatic int field_bits(input int format);
    field_bits = (mx_pkg::is_integer(format) != 0) ? 3 : mx_pkg::exponent_bits(format);
  endfunction

  // Whether no product loses a bit where c and ExpFloor leave the largest exponent to the products:
  // the last bit kept, align_bits below it, is then never above the last bit of a product.
  function automatic int is_fixed(input int a_format, input int b_format, input int align_bits);
    is_fixed = (fraction_bits(a_format, b_format) + span(a_format) + span(b_format) <= align_bits)
        ? 1 : 0;
  endfunction

  // Bits of an aligned product's magnitude. On the products' own grid they are those of the exact
  // product; else F fraction bits below the largest exponent, and a product is below 4 = 2^2.
  function automatic int term_bits(input int a_format, input int b_format, input int align_bits);
    term_bits = (is_fixed(a_format, b_format, align_bits) != 0)
        ? mx_pkg::product_bits(a_format, b_format) + mx_pkg::max_shift(a_format, b_format)
        : align_bits + 2;
  endfunction

  // Bits of the magnitude of a sum and a c that is added late, see mx_aligned_late_add.
  function automatic int late_bits(input int sum_bits);
    late_bits = sum_bits - 1 + 53;
  endfunction

  // Lowest exponent of its last bit: 26 below that of the sum, or as far below c as it gets.
  function automatic int lowest_late(input int lowest_sum, input int sum_bits);
    lowest_late = -149 - (sum_bits - 1 + 28);
    if (lowest_sum - 26 < lowest_late) begin
      lowest_late = lowest_sum - 26;
    end
  endfunction

endpackage
