// Tile of a matrix product, MX-6.2: Rows x Columns dot products at a time, output-stationary.
//
//   result[r][k] = mx_dot_general of the blocks of row r of A with those of column k of B, c[r][k]
//
// A transfer brings one block of each row and one of each column; every unit of the grid takes the
// block of its row and that of its column and keeps its own running value. A tile is the run of
// transfers from one with first_i to one with last_i. Products of larger matrices are such tiles one
// after the other, back to back; rows or columns beyond a matrix's edge are given any blocks, and
// their results ignored.
//
//           column 0     column 1
//              |            |
//   row 0 -> [0][0]      [0][1]    ... each an mx_dot_general
//   row 1 -> [1][0]      [1][1]
//
// Parameters AFormat to Depth, rules, special values: see mx_dot_general, to which they go.
// Packing: row 0 and column 0 in the LSBs, each with its element 0 in the LSBs; entry [r][k] of c_i
// and result_o is number r * Columns + k from the LSBs. c_i is taken with the first block.
// All results of a tile leave in one transfer: each unit holds its own until it is taken anyway, so
// a narrower way out would need a second set of registers, or hold up the next tile.
//
// Latency: that of mx_dot_general, from the last block of a tile to its results. Throughput: a block
// of every row and column a cycle, also from one tile to the next.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken. ready_o depends on ready_i
// combinationally, on no other input. The units run in lockstep, since all are given the same valid
// and ready and none acts on data: the one of entry [0][0] speaks for all.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight, any offered while it is low, and
// the unfinished tile. Data registers are not reset.
module mx_matmul_tile #(
  parameter int Rows = 2,
  parameter int Columns = 2,
  parameter int AFormat = 1,       // element format ids of mx_pkg
  parameter int BFormat = 1,
  parameter int Accumulate = 1,    // see mx_pkg
  parameter int ResultFormat = 8,  // 8 Float32, 9 BF16, 10 FP16
  parameter int Lanes = 32,        // elements of a block that come at a time: 1, 2, 4, 8, 16, 32
  parameter int Depth = 4          // registers from the last beat of a block to its result
) (
  input  logic                                                      clk_i,
  input  logic                                                      rst_ni,

  // Blocks of all rows and columns.
  input  logic                                                      valid_i,
  output logic                                                      ready_o,
  input  logic                                                      first_i,
  input  logic                                                      last_i,
  input  logic [Rows*Lanes*mx_pkg::element_bits(AFormat)-1:0]       a_elements_i,
  input  logic [Rows*mx_pkg::ScaleBits-1:0]                         a_scale_i,
  input  logic [Columns*Lanes*mx_pkg::element_bits(BFormat)-1:0]    b_elements_i,
  input  logic [Columns*mx_pkg::ScaleBits-1:0]                      b_scale_i,
  input  logic [Rows*Columns*32-1:0]                                c_i,  // Float32

  // Results of a tile.
  output logic                                                      valid_o,
  input  logic                                                      ready_i,
  output logic [Rows*Columns*mx_pkg::number_bits(ResultFormat)-1:0] result_o
);

  localparam int ABits = Lanes * mx_pkg::element_bits(AFormat);
  localparam int BBits = Lanes * mx_pkg::element_bits(BFormat);
  localparam int ScaleBits = mx_pkg::ScaleBits;
  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);

  logic [Rows*Columns-1:0] unit_ready, unit_valid;

  for (genvar row = 0; row < Rows; row++) begin : gen_rows
    for (genvar column = 0; column < Columns; column++) begin : gen_columns

      localparam int Entry = row * Columns + column;

      mx_dot_general #(
        .AFormat     (AFormat),
        .BFormat     (BFormat),
        .Accumulate  (Accumulate),
        .ResultFormat(ResultFormat),
        .Lanes       (Lanes),
        .Depth       (Depth)
      ) u_dot (
        .clk_i,
        .rst_ni,
        .valid_i,
        .ready_o     (unit_ready[Entry]),
        .first_i,
        .last_i,
        .a_elements_i(a_elements_i[row*ABits +: ABits]),
        .a_scale_i   (a_scale_i[row*ScaleBits +: ScaleBits]),
        .b_elements_i(b_elements_i[column*BBits +: BBits]),
        .b_scale_i   (b_scale_i[column*ScaleBits +: ScaleBits]),
        .c_i         (c_i[Entry*32 +: 32]),
        .valid_o     (unit_valid[Entry]),
        .ready_i,
        .result_o    (result_o[Entry*ResultBits +: ResultBits])
      );

    end
  end

  assign ready_o = unit_ready[0];
  assign valid_o = unit_valid[0];

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      if (!(unit_ready == {Rows*Columns{ready_o}} && unit_valid == {Rows*Columns{valid_o}})) begin
        $error("mx_matmul_tile: the units have left lockstep.");
      end
    end
  end

  initial begin
    if (Rows < 1 || Columns < 1) begin
      $fatal(1, "mx_matmul_tile: Rows is %0d and Columns %0d; both must be at least 1.", Rows, Columns);
    end
  end
`endif

endmodule
