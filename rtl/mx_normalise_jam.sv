// Shifts a number left until its leading one is the top bit, as far as a fixed limit, and cuts it to
// KeptBits with jam.
//
//   significand_o = the top KeptBits - 1 bits of data_i * 2^count_o, and the OR of the bits below
//
// Step k shifts by 2^k if that many leading bits are zero, so that the steps taken spell the number
// of leading zeros. There are steps for LargestShift places and no more: a number with more leading
// zeros is shifted by at least LargestShift places and may end with its top bit clear.
//
// Before step k at most 2^(k+1) - 1 places are left to shift, so only that many bits and KeptBits - 1
// can still be seen; what lies below is jammed at once and not carried through the steps. A jammed
// bit that a step moves up has zeros in place of what was below it, but it never comes into sight.
//
// mx_normalise is for shifts with a limit that is an input, and keeps every bit.
//
// Combinational.
module mx_normalise_jam #(
  parameter int Width = 24,         // bits of the number
  parameter int KeptBits = 26,      // bits of the result, the lowest being sticky
  parameter int LargestShift = 23,  // leading zeros to be removed
  parameter int CountBits = 5       // at least the bits of LargestShift, and 1
) (
  input  logic [Width-1:0]     data_i,
  output logic [KeptBits-1:0]  significand_o,
  output logic [CountBits-1:0] count_o
);

  localparam int Steps = $clog2(LargestShift + 1);
  localparam int WideBits = (Width > KeptBits) ? Width : KeptBits;

  // gen_step[s].data is what step Steps - s finds; the last one is the result.
  for (genvar s = 0; s <= Steps; s++) begin : gen_step

    // Bits that later steps can move into sight, and a sticky bit.
    localparam int Left = (1 << (Steps - s)) - 1;
    localparam int Bits = (WideBits > KeptBits + Left) ? KeptBits + Left : WideBits;

    logic [Bits-1:0] data;

    if (s == 0) begin : gen_input

      logic [WideBits-1:0] wide;

      assign wide = WideBits'(data_i) << (WideBits - Width);
      assign data = {wide[WideBits-1 -: Bits-1], |wide[WideBits-Bits:0]};

    end else begin : gen_shift

      localparam int Distance = 1 << (Steps - s);
      localparam int PreviousBits = (WideBits > KeptBits + 2 * Distance - 1)
          ? KeptBits + 2 * Distance - 1 : WideBits;

      logic [PreviousBits-1:0] previous, shifted;
      logic                    is_zero;

      assign previous = gen_step[s-1].data;
      assign is_zero  = previous[PreviousBits-1 -: Distance] == '0;
      assign shifted  = is_zero ? previous << Distance : previous;
      assign data     = {shifted[PreviousBits-1 -: Bits-1], |shifted[PreviousBits-Bits:0]};

      assign count_o[Steps-s] = is_zero;

    end

  end

  if (CountBits > Steps) begin : gen_unused_count
    assign count_o[CountBits-1:Steps] = '0;
  end

  assign significand_o = gen_step[Steps].data;

endmodule
