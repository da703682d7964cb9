// Takes a Float32 number over a power-of-two scale to where mx_round_pack rounds it to an element.
//
//   value_i / 2^(scale_i - 127) = sign, field, significand, guard and sticky bit, as mx_round_pack has them
//
// The quotient is exact (D-9): only the exponent changes.
//
// Subnormal numbers have no hidden bit; their significand is taken one place higher, with the exponent
// of field 0. Where the quotient is a normal element its leading one must be found, which is only so
// for small scales: the element's exponent field is bias - scale_i - leading zeros, so bias - 1 places
// are as far as one has to look. Farther down the quotient is subnormal in the element format, too, and
// needs no leading one.
//
// value_i is finite and scale_i one that the block's largest number leads to; for others the result means
// nothing.
//
// Width: with field the element's exponent field as if it had no lower bound, below is
// 2^(FieldBits-1) - 1 - field = scale_i + constant - the number's field + leading zeros. It is not negative
// for any number up to the block's largest, and at most 254 - 15 + 31 + 15, so 9 bits.
//
// Combinational.
module mx_quantize_align #(
  parameter int Format = mx_pkg::E4M3  // element format id of mx_pkg
) (
  input  logic [31:0]                                      value_i,  // Float32
  input  logic [mx_pkg::ScaleBits-1:0]                     scale_i,
  // From the MSB: sign, field, significand, guard, sticky.
  output logic [mx_pkg::quantize_aligned_bits(Format)-1:0] aligned_o
);

  localparam int MantissaBits = mx_pkg::number_mantissa_bits(Format);
  localparam int KeptBits = MantissaBits + 3;  // significand, guard, sticky
  localparam int DistanceBits = $clog2(KeptBits);
  localparam int Bias = 1 - mx_pkg::number_min_exponent(Format);  // 0 for INT8
  localparam int LargestShift = (Bias > 1) ? Bias - 1 : 0;
  localparam int CountBits = $clog2(LargestShift + 2);
  localparam int FieldBits = mx_pkg::quantize_field_bits(Format);
  localparam int TopField = (1 << (FieldBits - 1)) - 1;

  ///////////////
  // Normalise //
  ///////////////

  // What the normalising steps can bring into sight, one bit for the place that subnormals are taken
  // higher, and a sticky bit.
  localparam int SeenBits = KeptBits + (1 << $clog2(LargestShift + 1));

  logic                 is_normal;
  logic [SeenBits-2:0]  high;
  logic [SeenBits-1:0]  significand;
  logic [KeptBits-1:0]  normalised;
  logic [CountBits-1:0] leading_zeros;

  assign is_normal   = value_i[30:23] != 8'd0;
  assign high        = value_i[22 -: SeenBits-1];
  assign significand = {is_normal ? {1'b1, high[SeenBits-2:1]} : high,
                        |value_i[23-SeenBits:0] || (is_normal && high[0])};

  mx_normalise_jam #(
    .Width       (SeenBits),
    .KeptBits    (KeptBits),
    .LargestShift(LargestShift),
    .CountBits   (CountBits)
  ) u_normalise (
    .data_i       (significand),
    .significand_o(normalised),
    .count_o      (leading_zeros)
  );

  //////////////
  // Exponent //
  //////////////

  // A normal number has no leading zeros and a subnormal one has field 0, so one addition does for
  // both: scale + constant + (leading zeros, or minus the field).
  logic [8:0]                  base, addend, below;
  logic                        is_far;
  logic [FieldBits-1:0]        below_top;
  logic signed [FieldBits-1:0] field;

  assign base      = 9'(scale_i) + 9'(TopField - Bias);
  assign addend    = is_normal ? {1'b1, ~value_i[30:23]} : 9'(leading_zeros);
  assign below     = base + addend + 9'(is_normal);
  assign is_far    = |below[8:FieldBits];
  assign below_top = below[FieldBits-1:0] | {FieldBits{is_far}};
  assign field     = $signed({below_top[FieldBits-1], ~below_top[FieldBits-2:0]});

  /////////////////
  // Denormalise //
  /////////////////

  // Places from the leading one down to that of field 1, none for a normal quotient: a table of
  // DistanceBits bits for each value of below_top.
  function automatic logic [(DistanceBits<<FieldBits)-1:0] distance_table(input int largest);
    distance_table = '0;
    for (int i = TopField; i < (1 << FieldBits); i++) begin
      distance_table[i*DistanceBits +: DistanceBits] =
          DistanceBits'((i + 1 - TopField < largest) ? i + 1 - TopField : largest);
    end
  endfunction

  localparam logic [(DistanceBits<<FieldBits)-1:0] Distances = distance_table(KeptBits - 1);

  logic [DistanceBits-1:0] distance;
  logic [KeptBits-1:0]     aligned;

  assign distance = Distances[below_top*DistanceBits +: DistanceBits];

  mx_shift_right_jam #(
    .Width       (KeptBits),
    .DistanceBits(DistanceBits)
  ) u_denormalise (
    .data_i    (normalised),
    .distance_i(distance),
    .data_o    (aligned)
  );

  assign aligned_o = {value_i[31], field, aligned};

endmodule
