// Rewrites an element code of a format chosen at run time as a code of E5M3 (see mx_pkg).
//
//   sign = that of the element; exponent = its field with zeros above; mantissa = its field with
//   zeros below
//
// So the fields of all float formats are the same for whatever comes after, subnormals and the sign
// of zero included: only the weight of a unit depends on the format,
//
//   element = number of mx_element_decode #(E5M3), in another unit
//
// see mx_pkg::multi_unit_exponent. Inf and NaN of E5M2 become those of E5M3,
// NaN of E4M3 becomes a NaN of E5M3. INT8 gives its sign and zero: its value does not come this way.
// code_i holds the code right-aligned, bits above it are ignored; an id that is no format gives +0.
//
// Combinational: one multiplexer a bit.
module mx_element_widen (
  input  logic [7:0] code_i,
  input  logic [2:0] format_i,  // element format id of mx_pkg
  output logic [8:0] code_o     // E5M3
);

  localparam int Bits = mx_pkg::element_bits(mx_pkg::E5M3);
  localparam int ExponentBits = mx_pkg::exponent_bits(mx_pkg::E5M3);
  localparam int MantissaBits = mx_pkg::mantissa_bits(mx_pkg::E5M3);

  // gen_format[f].chosen is the code if format_i is f, else zero; gen_format[f].either the OR of all
  // up to f.
  for (genvar f = 0; f < mx_pkg::FormatCount; f++) begin : gen_format

    localparam int CodeBits = mx_pkg::element_bits(f);
    localparam int ShortBits = MantissaBits - mx_pkg::mantissa_bits(f);

    logic [Bits-1:0] widened, chosen, either;

    if (mx_pkg::is_integer(f) != 0) begin : gen_sign

      assign widened = {code_i[CodeBits-1], {(Bits - 1){1'b0}}};

    end else begin : gen_float

      logic                    is_nan;
      logic [ExponentBits-1:0] all_ones;

      assign is_nan   = f == mx_pkg::E4M3 && code_i[CodeBits-2:0] == '1;
      assign all_ones = {ExponentBits{is_nan}};
      assign widened  = {code_i[CodeBits-1], (Bits - 1)'(code_i[CodeBits-2:0]) << ShortBits}
          | {1'b0, all_ones, {MantissaBits{1'b0}}};

    end

    assign chosen = widened & {Bits{format_i == 3'(f)}};

    if (f == 0) begin : gen_start
      assign either = chosen;
    end else begin : gen_or
      assign either = gen_format[f-1].either | chosen;
    end

  end

  assign code_o = gen_format[mx_pkg::FormatCount-1].either;

endmodule
