// Numbers of the formats, and the ids of everything that a parameter chooses.
//
// Element formats, the six of OCP MX (MX v1.0 section 5.3):
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
//
// Number formats, what mx_round rounds to: the element formats, and
//
//   id  format  bits  exponent  mantissa  smallest normal  largest
//    8  Fp32      32         8        23           2^-126   Inf above
//    9  Bf16      16         8         7           2^-126   Inf above
//   10  Fp16      16         5        10            2^-14   Inf above
//   11  E8M13     32         8        13           2^-126   Inf above; a Float32 with 10 low zeros
//   12  Ue4m3      8         4         3             2^-6   448; no sign, the top bit is 0
//
// All have subnormals. INT8 is among them as a number whose exponent field has no bits: a sign and
// seven bits of magnitude in units of 2^-6, all of them below the hidden bit 2^1.
package mx_pkg;

  // Format ids: values of the parameters AFormat and BFormat.
  localparam int E5M2 = 0;
  localparam int E4M3 = 1;
  localparam int E3M2 = 2;
  localparam int E2M3 = 3;
  localparam int E2M1 = 4;
  localparam int INT8 = 5;
  localparam int FormatCount = INT8 + 1;

  // No element format of MX: the float that has room for each of theirs, field by field, with Inf and
  // NaN as in E5M2. Units whose formats are chosen at run time decode this one.
  localparam int E5M3 = 6;

  // Number format ids: values of the parameters ResultFormat, Result and AccFormat.
  localparam int Fp32 = 8;
  localparam int Bf16 = 9;
  localparam int Fp16 = 10;
  localparam int E8M13 = 11;
  localparam int Ue4m3 = 12;

  // Values of the parameter Accumulate, with the rule of the model.
  localparam int AccumulateExact = 0;       // exact_fp32
  localparam int AccumulateBlockAdd = 1;    // block32_fp32_add
  localparam int AccumulateBlockFused = 2;  // block32_exact_fused
  localparam int AccumulateAligned = 3;     // align and truncate: see the parameters of the unit

  // Rounding, values of the parameter Mode.
  localparam int NearestEven = 0;
  localparam int TowardZero = 1;

  // Conversion to MX: values of the parameters ScaleRule (A-1) and Overflow (A-14).
  localparam int ScaleFloor = 0;        // from the largest power of two in the block
  localparam int ScaleRceil = 1;        // the smallest scale under which no element is clamped
  localparam int OverflowSaturate = 0;  // beyond the range: the largest number
  localparam int OverflowInfNan = 1;    // Inf, or NaN where the format has no Inf; FP8 only

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
      E5M3:    exponent_bits = 5;
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
      E5M3:    mantissa_bits = 3;
      default: mantissa_bits = 0;
    endcase
  endfunction

  // Exponent of the largest power of two (emax in MX-6.3-b, D-1).
  function automatic int max_exponent(input int format);
    case (format)
      E5M2:    max_exponent = 15;
      E4M3:    max_exponent = 8;
      E3M2:    max_exponent = 4;
      E2M3:    max_exponent = 2;
      E2M1:    max_exponent = 2;
      default: max_exponent = 0;
    endcase
  endfunction

  // Width of an element code.
  function automatic int element_bits(input int format);
    element_bits = (is_integer(format) != 0)
        ? 8 : 1 + exponent_bits(format) + mantissa_bits(format);
  endfunction

  // Width of the elements of a block, and of a transfer of mx_axis_matmul_tile: a block of every row
  // of A and column of B with its scale, and a Float32 for every entry.
  function automatic int block_bits(input int format);
    block_bits = BlockSize * element_bits(format);
  endfunction

  function automatic int tile_bits(input int rows, input int columns, input int a_format,
                                   input int b_format);
    tile_bits = rows * columns * 32 + rows * (ScaleBits + block_bits(a_format))
        + columns * (ScaleBits + block_bits(b_format));
  endfunction

  function automatic int exponent_bias(input int format);
    exponent_bias = (1 << (exponent_bits(format) - 1)) - 1;
  endfunction

  // log2 of the smallest positive value; every finite value is a multiple of it.
  function automatic int quantum_exponent(input int format);
    quantum_exponent = (is_integer(format) != 0)
        ? -6 : 1 - exponent_bias(format) - mantissa_bits(format);
  endfunction

  // mx_multi_sum: exponent of the unit in which a lane holds elements of a format, with exponent fields
  // counted from 0 and mantissas of E5M3; what it is above that of E5M2, the lowest; and the exponent
  // of the sum's unit where both formats are E5M2 and both scale codes 0.
  function automatic int multi_unit_exponent(input int format);
    multi_unit_exponent = (is_integer(format) != 0) ? quantum_exponent(format)
        : quantum_exponent(format) - 1 - mantissa_bits(E5M3) + mantissa_bits(format);
  endfunction

  function automatic int multi_unit_rise(input int format);
    multi_unit_rise = multi_unit_exponent(format) - multi_unit_exponent(E5M2);
  endfunction

  localparam int MultiGridExponent = -36 - 2 * ScaleBias;
  localparam int MultiSumBits = 73;

  function automatic int significand_bits(input int format);
    significand_bits = (is_integer(format) != 0) ? 8 : 1 + mantissa_bits(format);
  endfunction

  function automatic int max_significand(input int format);
    max_significand = (is_integer(format) != 0) ? 128 : (1 << significand_bits(format)) - 1;
  endfunction

  // True where the top exponent field is Inf and NaN.
  function automatic int has_inf(input int format);
    has_inf = (format == E5M2 || format == E5M3) ? 1 : 0;
  endfunction

  // Largest offset of a finite element.
  function automatic int max_offset(input int format);
    if (is_integer(format) != 0) begin
      max_offset = 0;
    end else begin
      max_offset = (1 << exponent_bits(format)) - ((has_inf(format) != 0) ? 3 : 2);
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

  // Exponent of the grid unit of a block sum where both scale codes are 0.
  function automatic int grid_exponent(input int a_format, input int b_format);
    grid_exponent = quantum_exponent(a_format) + quantum_exponent(b_format) - 2 * ScaleBias;
  endfunction

  // Width of the magnitude of a block sum in grid units: 32 products, each below
  // 2^(product_bits + max_shift). E5M2 x E5M2: 6 + 58 + 5 = 69; E4M3 x E4M3: 8 + 28 + 5 = 41;
  // E2M1 x E2M1: 4 + 4 + 5 = 13; INT8 x INT8: 32 * 128 * 128 = 2^19, 15 + 0 + 5 = 20.
  function automatic int sum_bits(input int a_format, input int b_format);
    sum_bits = product_bits(a_format, b_format) + max_shift(a_format, b_format)
        + $clog2(BlockSize);
  endfunction

  // Position of a product: the sum of the exponent fields of its float operands, subnormals counted
  // as 1. It is the offset sum plus the bias here, one for each float operand.
  function automatic int position_bias(input int a_format, input int b_format);
    position_bias = (1 - is_integer(a_format)) + (1 - is_integer(b_format));
  endfunction

  function automatic int position_bits(input int a_format, input int b_format);
    position_bits = $clog2((1 << exponent_bits(a_format)) + (1 << exponent_bits(b_format)) - 1);
    if (position_bits == 0) begin
      position_bits = 1;
    end
  endfunction

  // A product goes to its position in two steps: a fine shift by the low fine_bits of the position,
  // and one of coarse_count places 2^fine_bits apart. The fewest low bits for which a bit of the
  // placed product has two places to come from, or three in a few places; everything in the fine
  // shift where all of the lane is a function of six bits.
  function automatic int coarse_places(input int a_format, input int b_format, input int fine);
    coarse_places = ((max_shift(a_format, b_format) + position_bias(a_format, b_format)) >> fine) + 1;
  endfunction

  function automatic int fits_fine(input int a_format, input int b_format, input int fine);
    fits_fine = (coarse_places(a_format, b_format, fine) <= 2
        || product_bits(a_format, b_format) - 1 <= (1 << fine)
        || (product_bits(a_format, b_format) - 2 <= (1 << fine)
            && coarse_places(a_format, b_format, fine) <= 4)) ? 1 : 0;
  endfunction

  function automatic int fine_bits(input int a_format, input int b_format);
    fine_bits = (element_bits(a_format) + element_bits(b_format) <= 8
        || position_bits(a_format, b_format) <= 2) ? position_bits(a_format, b_format)
        : (fits_fine(a_format, b_format, 1) != 0) ? 1
        : (fits_fine(a_format, b_format, 2) != 0) ? 2
        : (fits_fine(a_format, b_format, 3) != 0) ? 3
        : (fits_fine(a_format, b_format, 4) != 0) ? 4 : position_bits(a_format, b_format);
  endfunction

  function automatic int coarse_count(input int a_format, input int b_format);
    coarse_count = coarse_places(a_format, b_format, fine_bits(a_format, b_format));
  endfunction

  // Width of a product after its fine shift, and of one in its place, in grid units.
  function automatic int fine_width(input int a_format, input int b_format);
    fine_width = product_bits(a_format, b_format) + (1 << fine_bits(a_format, b_format)) - 1;
  endfunction

  function automatic int term_bits(input int a_format, input int b_format);
    term_bits = product_bits(a_format, b_format) + max_shift(a_format, b_format);
  endfunction

  // mx_fused_add: bits that it keeps below the grid unit of the sum, and the width of its magnitude.
  localparam int FusedGuardBits = 26;

  function automatic int fused_bits(input int width);
    fused_bits = width + FusedGuardBits + 1;
  endfunction

  // Exponent of the LSB of that magnitude where the exponent field is 0.
  function automatic int fused_exponent(input int width);
    fused_exponent = 2 - fused_bits(width) - 127;
  endfunction

  // Width of the shift of mx_normalise, enough to shift every bit out.
  function automatic int normalise_bits(input int width);
    normalise_bits = $clog2(width + 1);
  endfunction

  // Conversion to MX: exponent fields of a quotient from the largest of the format down to one that
  // leaves nothing but a sticky bit of it, signed, and all that mx_round_pack wants to know of it.
  function automatic int quantize_field_bits(input int format);
    quantize_field_bits = (is_integer(format) != 0) ? 4 : exponent_bits(format) + 1;
  endfunction

  function automatic int quantize_aligned_bits(input int format);
    quantize_aligned_bits = 1 + quantize_field_bits(format) + number_mantissa_bits(format) + 3;
  endfunction

  ////////////////////
  // Number formats //
  ////////////////////

  function automatic int is_number(input int id);
    is_number = ((id >= E5M2 && id <= INT8) || (id >= Fp32 && id <= Ue4m3)) ? 1 : 0;
  endfunction

  // Width of the exponent field; 0 for INT8.
  function automatic int number_exponent_bits(input int id);
    case (id)
      Fp32, Bf16, E8M13: number_exponent_bits = 8;
      Fp16:              number_exponent_bits = 5;
      Ue4m3:             number_exponent_bits = 4;
      default:           number_exponent_bits = exponent_bits(id);
    endcase
  endfunction

  // Bits of the significand below the hidden bit.
  function automatic int number_mantissa_bits(input int id);
    case (id)
      Fp32:    number_mantissa_bits = 23;
      Bf16:    number_mantissa_bits = 7;
      Fp16:    number_mantissa_bits = 10;
      E8M13:   number_mantissa_bits = 13;
      Ue4m3:   number_mantissa_bits = 3;
      default: number_mantissa_bits = (is_integer(id) != 0) ? 7 : mantissa_bits(id);
    endcase
  endfunction

  // Low bits of a code that are always zero.
  function automatic int number_pad_bits(input int id);
    number_pad_bits = (id == E8M13) ? 10 : 0;
  endfunction

  // Width of a code, sign included; Ue4m3 has a zero there.
  function automatic int number_bits(input int id);
    number_bits = 1 + number_exponent_bits(id) + number_mantissa_bits(id) + number_pad_bits(id);
  endfunction

  // Exponent of the smallest normal number, which is also that of the subnormals' hidden bit.
  function automatic int number_min_exponent(input int id);
    number_min_exponent = 2 - (1 << (number_exponent_bits(id) - 1));
    if (number_exponent_bits(id) == 0) begin
      number_min_exponent = 1;
    end
  endfunction

  function automatic int number_has_inf(input int id);
    number_has_inf = (id == Fp32 || id == Bf16 || id == Fp16 || id == E8M13) ? 1 : 0;
  endfunction

  // Exponent field and mantissa of the largest finite number, without sign and pad bits.
  function automatic int number_largest(input int id);
    number_largest = (1 << (number_exponent_bits(id) + number_mantissa_bits(id))) - 1;
    if (number_has_inf(id) != 0 || id == E5M2) begin
      number_largest = number_largest - (1 << number_mantissa_bits(id));  // the top field is Inf, NaN
    end else if (id == E4M3 || id == Ue4m3) begin
      number_largest = number_largest - 1;  // the top code is NaN
    end
  endfunction

  // The quiet NaN without sign and payload, as a code right-aligned in 32 bits: the NaN of a
  // ResultFormat. For element formats and Ue4m3 their NaN with the lowest code; 0 if there is none.
  function automatic logic [31:0] number_nan(input int id);
    case (id)
      Fp32, E8M13: number_nan = 32'h7FC0_0000;
      Bf16:        number_nan = 32'h0000_7FC0;
      Fp16:        number_nan = 32'h0000_7E00;
      E5M2:        number_nan = 32'h0000_007D;
      E4M3, Ue4m3: number_nan = 32'h0000_007F;
      default:     number_nan = 32'h0000_0000;
    endcase
  endfunction

  // Positive Inf as a code right-aligned in 32 bits; 0 if the format has none.
  function automatic logic [31:0] number_inf(input int id);
    case (id)
      Fp32, E8M13: number_inf = 32'h7F80_0000;
      Bf16:        number_inf = 32'h0000_7F80;
      Fp16:        number_inf = 32'h0000_7C00;
      E5M2:        number_inf = 32'h0000_007C;
      default:     number_inf = 32'h0000_0000;
    endcase
  endfunction

  // Between the halves of mx_round: width of the exponent, and of everything.
  localparam int RoundingBaseBits = 14;

  function automatic int rounding_bits(input int id);
    rounding_bits = 1 + RoundingBaseBits + (1 + number_mantissa_bits(id)) + 3;
  endfunction

  ////////////////////////
  // Align and truncate //
  ////////////////////////

  // The exponent of a product is a sum of two element exponents: with X the exponent of both scales,
  // p - bias + base + X  for a position p, which is the sum of the exponent fields of floats.

  // Values of the parameter ScaleApply: the model's scale_apply.
  localparam int ScaleProductExponent = 0;  // "product_exponent": scales are part of each product
  localparam int ScaleGroupExponent = 1;    // "group_exponent": and the only exponent of exact sums
  localparam int ScaleNone = 2;             // "epilogue_tensor": elements without block scales

  // Exponents, signed: products from -28 - 254 to 30 + 256, c from -126 to 127, the lower bound
  // ExpFloor and AlignedLowest, and differences of any two of them.
  localparam int AlignedExponentBits = 11;
  localparam int AlignedScaleBits = 10;  // sum of two scale exponents: -254 to 256
  // Below every exponent that occurs; stands for the exponent of what is not there.
  localparam int AlignedLowest = -500;

  // Float operands, each of which has exponent fields from 1.
  function automatic int aligned_bias(input int a_format, input int b_format);
    aligned_bias = 2 - is_integer(a_format) - is_integer(b_format);
  endfunction

  // Exponent of an element at offset 0: of the smallest normal number of a float, of the last
  // bit of INT8.
  function automatic int aligned_least_exponent(input int format);
    aligned_least_exponent = quantum_exponent(format) + mantissa_bits(format);
  endfunction

  function automatic int aligned_base(input int a_format, input int b_format);
    aligned_base = aligned_least_exponent(a_format) + aligned_least_exponent(b_format);
  endfunction

  // Fraction bits of a product of two significands.
  function automatic int aligned_fraction_bits(input int a_format, input int b_format);
    aligned_fraction_bits = mantissa_bits(a_format) + mantissa_bits(b_format);
  endfunction

  // Largest distance of an element's exponent above aligned_least_exponent: 7 for INT8, whose 0x80 is
  // -2.0.
  function automatic int aligned_span(input int format);
    aligned_span = (is_integer(format) != 0) ? 7 : max_offset(format);
  endfunction

  // Width of a position, also one of Inf and NaN codes.
  function automatic int aligned_position_bits(input int a_format, input int b_format);
    aligned_position_bits =
        $clog2((1 << aligned_field_bits(a_format)) + (1 << aligned_field_bits(b_format)) - 1);
  endfunction

  function automatic int aligned_field_bits(input int format);
    aligned_field_bits = (is_integer(format) != 0) ? 3 : exponent_bits(format);
  endfunction

  // Whether no product loses a bit where c and ExpFloor leave the largest exponent to the products:
  // the last bit kept, align_bits below it, is then never above the last bit of a product.
  function automatic int aligned_is_fixed(input int a_format, input int b_format,
                                          input int align_bits);
    aligned_is_fixed = (aligned_fraction_bits(a_format, b_format) + aligned_span(a_format)
        + aligned_span(b_format) <= align_bits) ? 1 : 0;
  endfunction

  // Bits of an aligned product's magnitude. On the products' own grid they are those of the exact
  // product; else F fraction bits below the largest exponent, and a product is below 4 = 2^2.
  function automatic int aligned_term_bits(input int a_format, input int b_format,
                                           input int align_bits);
    aligned_term_bits = (aligned_is_fixed(a_format, b_format, align_bits) != 0)
        ? product_bits(a_format, b_format) + max_shift(a_format, b_format)
        : align_bits + 2;
  endfunction

  // Bits of the magnitude of a sum and a c that is added late, see mx_aligned_late_add.
  function automatic int aligned_late_bits(input int width);
    aligned_late_bits = width - 1 + 53;
  endfunction

  // Lowest exponent of its last bit: 26 below that of the sum, or as far below c as it gets.
  function automatic int aligned_lowest_late(input int lowest_sum, input int width);
    aligned_lowest_late = -149 - (width - 1 + 28);
    if (lowest_sum - 26 < aligned_lowest_late) begin
      aligned_lowest_late = lowest_sum - 26;
    end
  endfunction

endpackage
