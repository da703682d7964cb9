// Numbers of the six OCP MX element formats (MX v1.0 section 5.3), as functions of a format id.
//
//   id  format  bits  exponent  mantissa  bias  quantum exponent  largest offset  special codes
//    0  E5M2      8         5         2    15               -16              29  Inf, NaN
//    1  E4M3      8         4         3     7                -9              14  NaN
//    2  E3M2      6         3         2     3                -4               6  none
//    3  E2M3      6         2         3     1                -3               2  none
//    4  E2M1      4         2         1     1                -1               2  none
//    5  INT8      8         0         -     -                -6               0  none
//
// Every finite element is  (-1)^sign * significand * 2^offset * 2^quantum_exponent  with an integer
// significand and an integer offset from 0 to the largest offset: the significand holds the hidden
// bit, offset is max(exponent field, 1) - 1. Hence every finite product of an element of A and one
// of B is a whole number of grid units 2^(quantum_exponent(A) + quantum_exponent(B)).
//
// Largest significand: 2^(mantissa + 1) - 1 for a float, 128 for INT8 (the code 0x80 is -2.0).
package mx_pkg;

  // Format ids: values of the parameters AFormat and BFormat.
  localparam int E5M2 = 0;
  localparam int E4M3 = 1;
  localparam int E3M2 = 2;
  localparam int E2M3 = 3;
  localparam int E2M1 = 4;
  localparam int INT8 = 5;
  localparam int FormatCount = INT8 + 1;

  localparam int BlockSize = 32;  // elements that share one scale (MX-5.2.1-c)

  // E8M0 scales (MX-5.4.1): 2^(code - 127); no zero, no Inf, one NaN.
  localparam int ScaleBits = 8;
  localparam int ScaleBias = 127;
  localparam logic [7:0] ScaleNan = 8'hFF;

  // Float32 results.
  localparam logic [31:0] Fp32Nan = 32'h7FC0_0000;  // the only NaN that any unit here produces
  localparam logic [30:0] Fp32Inf = 31'h7F80_0000;  // magnitude, without the sign bit

  // Width of the exponent of a block sum's grid unit, signed. With scale codes 0 to 255 it is from
  // 0 + 0 - 254 - 32 = -286 (E5M2 x E5M2) to 255 + 255 - 254 - 2 = 254 (E2M1 x E2M1).
  localparam int ExponentBits = 10;

  function automatic int exponent_bits(input int format);
    case (format)
      E5M2:    exponent_bits = 5;
      E4M3:    exponent_bits = 4;
      E3M2:    exponent_bits = 3;
      E2M3:    exponent_bits = 2;
      E2M1:    exponent_bits = 2;
      default: exponent_bits = 0;
    endcase
  endfunction

  // True for INT8. A number that is no format id counts as an integer too: a unit with a wrong
  // parameter then elaborates, and runs into the sentence that refuses it.
  function automatic int is_integer(input int format);
    is_integer = exponent_bits(format) == 0 ? 1 : 0;
  endfunction

  function automatic int mantissa_bits(input int format);
    case (format)
      E5M2:    mantissa_bits = 2;
      E4M3:    mantissa_bits = 3;
      E3M2:    mantissa_bits = 2;
      E2M3:    mantissa_bits = 3;
      E2M1:    mantissa_bits = 1;
      default: mantissa_bits = 0;
    endcase
  endfunction

  // Width of an element code.
  function automatic int element_bits(input int format);
    element_bits = (is_integer(format) != 0)
        ? 8 : 1 + exponent_bits(format) + mantissa_bits(format);
  endfunction

  function automatic int exponent_bias(input int format);
    exponent_bias = (1 << (exponent_bits(format) - 1)) - 1;
  endfunction

  // log2 of the smallest positive value; every finite value is a multiple of it.
  function automatic int quantum_exponent(input int format);
    quantum_exponent = (is_integer(format) != 0)
        ? -6 : 1 - exponent_bias(format) - mantissa_bits(format);
  endfunction

  function automatic int significand_bits(input int format);
    significand_bits = (is_integer(format) != 0) ? 8 : 1 + mantissa_bits(format);
  endfunction

  function automatic int max_significand(input int format);
    max_significand = (is_integer(format) != 0) ? 128 : (1 << significand_bits(format)) - 1;
  endfunction

  // Largest offset of a finite element. The top exponent field of E5M2 is Inf and NaN.
  function automatic int max_offset(input int format);
    if (is_integer(format) != 0) begin
      max_offset = 0;
    end else begin
      max_offset = (1 << exponent_bits(format)) - ((format == E5M2) ? 3 : 2);
    end
  endfunction

  // Width of an offset; one bit where the offset is always zero.
  function automatic int offset_bits(input int format);
    offset_bits = (is_integer(format) != 0) ? 1 : exponent_bits(format);
  endfunction

  // Width of the product of two significands.
  function automatic int product_bits(input int a_format, input int b_format);
    product_bits = $clog2(max_significand(a_format) * max_significand(b_format) + 1);
  endfunction

  // Largest distance of a product above the grid unit, and the width that holds the sum of any two
  // offsets (Inf and NaN codes of E5M2 reach one more than a finite element).
  function automatic int max_shift(input int a_format, input int b_format);
    max_shift = max_offset(a_format) + max_offset(b_format);
  endfunction

  function automatic int shift_bits(input int a_format, input int b_format);
    shift_bits = $clog2((1 << offset_bits(a_format)) + (1 << offset_bits(b_format)) - 1);
  endfunction

  // Width of the magnitude of a block sum in grid units: 32 products, each below
  // 2^(product_bits + max_shift). E5M2 x E5M2: 6 + 58 + 5 = 69; E4M3 x E4M3: 8 + 28 + 5 = 41;
  // E2M1 x E2M1: 4 + 4 + 5 = 13; INT8 x INT8: 32 * 128 * 128 = 2^19, 15 + 0 + 5 = 20.
  function automatic int sum_bits(input int a_format, input int b_format);
    sum_bits = product_bits(a_format, b_format) + max_shift(a_format, b_format)
        + $clog2(BlockSize);
  endfunction

endpackage
