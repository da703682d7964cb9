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
// Combinational: one multiplexer a bit, as a case rather than an OR of all formats, which Icarus takes
// a fifth longer for in the whole of mx_dot_multi.
module mx_element_widen (
  input  logic [7:0] code_i,
  input  logic [2:0] format_i,  // element format id of mx_pkg
  output logic [8:0] code_o     // E5M3
);

  always_comb begin
    case (format_i)
      3'(mx_pkg::E5M2): code_o = {code_i, 1'b0};
      3'(mx_pkg::E4M3): code_o = (code_i[6:0] == '1) ? {code_i[7], 8'hFF} : {code_i[7], 1'b0, code_i[6:0]};
      3'(mx_pkg::E3M2): code_o = {code_i[5], 2'b0, code_i[4:0], 1'b0};
      3'(mx_pkg::E2M3): code_o = {code_i[5], 3'b0, code_i[4:0]};
      3'(mx_pkg::E2M1): code_o = {code_i[3], 3'b0, code_i[2:0], 2'b0};
      3'(mx_pkg::INT8): code_o = {code_i[7], 8'b0};
      default:          code_o = '0;
    endcase
  end

endmodule
