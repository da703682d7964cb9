// Arithmetic that the designs of this folder share; right in all of them.

// The Float32 nearest to (-1)^sign * magnitude * 2^exponent, ties to even; zero is +0.
function automatic [31:0] to_float32(input bit sign, input [63:0] magnitude, input integer exponent);
  integer top, lowest, shift;
  reg [63:0] kept, bits;
  reg guard, sticky;
  top = 0;
  for (integer i = 0; i < 64; i = i + 1) if (magnitude[i]) top = i;
  lowest = exponent + top;
  if (lowest < -126) lowest = -126;
  shift = lowest - 23 - exponent;
  guard = 1'b0;
  sticky = 1'b0;
  if (shift <= 0) kept = magnitude << -shift;
  else if (shift > 64) kept = 64'd0;
  else begin
    kept = shift == 64 ? 64'd0 : magnitude >> shift;
    guard = magnitude[shift-1];
    for (integer i = 0; i < 64; i = i + 1) if (i < shift - 1) sticky = sticky | magnitude[i];
  end
  bits = {32'd0, lowest + 126} << 23;
  bits = bits + kept + {63'd0, guard & (sticky | kept[0])};
  if (lowest > 127 || bits >= 64'h7f800000) bits = 64'h7f800000;
  to_float32 = magnitude == 64'd0 ? 32'd0 : {sign, bits[30:0]};
endfunction

// An E4M3 number as an integer of units of 2^-9.
function automatic signed [63:0] e4m3_units(input [7:0] code);
  reg [63:0] magnitude;
  magnitude = code[6:3] == 4'd0 ? {61'd0, code[2:0]} : {60'd0, 1'b1, code[2:0]} << (code[6:3] - 4'd1);
  e4m3_units = code[7] ? -magnitude : magnitude;
endfunction

// An E2M1 number as an integer of units of 2^-1.
function automatic signed [63:0] e2m1_units(input [3:0] code);
  reg [63:0] magnitude;
  magnitude = code[2:1] == 2'd0 ? {63'd0, code[0]} : {62'd0, 1'b1, code[0]} << (code[2:1] - 2'd1);
  e2m1_units = code[3] ? -magnitude : magnitude;
endfunction
