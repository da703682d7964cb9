// Plain SystemVerilog bench of mx_dot: plays a vector directory of the reference model and compares
// every result, bit for bit. No Python, no DPI, no UVM: for any simulator of IEEE 1800.
//
//   +vectors=DIR   the vector directory (vectors/README.md): planes a_elements.hex, a_scale.hex,
//                  b_elements.hex, b_scale.hex, result.hex, and c.hex where results have an addend
//   +count=N       how many vectors the directory must hold (its manifest.json, "dots")
//   +stalls=0      offer and take at full rate; otherwise both sides stall pseudo-randomly
//   +seed=N        seed of the stalls
//
// The parameters are those of mx_dot. Ends with $finish and one summary line if every result is
// right, else with $fatal: on a wrong or unknown bit, an unknown handshake signal, a valid offer
// that is withdrawn or changed, a result too many, a hang, a missing file, a file whose lines are
// too few, too many or of another width than the ports, and on a set with nothing in it.
module mx_dot_tb #(
  parameter int AFormat = mx_pkg::E4M3,
  parameter int BFormat = AFormat,
  parameter int Accumulate = mx_pkg::AccumulateExact,
  parameter int ResultFormat = mx_pkg::Fp32,
  parameter int Lanes = 32,
  parameter int Depth = 3,
  // With Accumulate 3.
  parameter int AlignBits = 25,
  parameter int GroupSize = 32,
  parameter int InnerGroup = 16,
  parameter int AccInAlign = 1,
  parameter int HasExpFloor = 1,
  parameter int ExpFloor = -133,
  parameter int ScaleApply = 0,
  parameter int AccFormat = 8,
  parameter int AccRound = 1,
  parameter logic [31:0] NanPattern = 32'h7FC0_0000,
  parameter int MaxVectors = 65536
);

  localparam int ABits = Lanes * mx_pkg::element_bits(AFormat);
  localparam int BBits = Lanes * mx_pkg::element_bits(BFormat);
  localparam int Beats = mx_pkg::BlockSize / Lanes;
  localparam int ABlockBits = Beats * ABits;
  localparam int BBlockBits = Beats * BBits;
  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);
  localparam int MaxReports = 10;
  localparam int ResetCycles = 4;
  localparam int PatientCycles = 10000;  // without a transfer, until the bench calls it a hang
  localparam int DrainCycles = 100;      // after the last result, to see one too many

  // The planes, one word a vector.
  logic [ABlockBits-1:0] a_elements[MaxVectors];
  logic [7:0]            a_scale   [MaxVectors];
  logic [BBlockBits-1:0] b_elements[MaxVectors];
  logic [7:0]            b_scale   [MaxVectors];
  logic [31:0]           c         [MaxVectors];
  logic [ResultBits-1:0] expected  [MaxVectors];

  string directory;
  int    count;
  int    has_c;
  int    stalls;

  ////////////////////
  // Unit and clock //
  ////////////////////

  logic                  clk = 1'b0;
  logic                  rst_n = 1'b0;
  logic                  in_valid = 1'b0;
  logic                  in_ready;
  logic [ABits-1:0]      a_now;
  logic [7:0]            a_scale_now;
  logic [BBits-1:0]      b_now;
  logic [7:0]            b_scale_now;
  logic [31:0]           c_now;
  logic                  out_valid;
  logic                  out_ready = 1'b0;
  logic [ResultBits-1:0] result;

  always begin
    #1 clk = !clk;
  end

  mx_dot #(
    .AFormat     (AFormat),
    .BFormat     (BFormat),
    .Accumulate  (Accumulate),
    .ResultFormat(ResultFormat),
    .Lanes       (Lanes),
    .Depth       (Depth),
    .AlignBits   (AlignBits),
    .GroupSize   (GroupSize),
    .InnerGroup  (InnerGroup),
    .AccInAlign  (AccInAlign),
    .HasExpFloor (HasExpFloor),
    .ExpFloor    (ExpFloor),
    .ScaleApply  (ScaleApply),
    .AccFormat   (AccFormat),
    .AccRound    (AccRound),
    .NanPattern  (NanPattern)
  ) u_dut (
    .clk_i       (clk),
    .rst_ni      (rst_n),
    .valid_i     (in_valid),
    .ready_o     (in_ready),
    .a_elements_i(a_now),
    .a_scale_i   (a_scale_now),
    .b_elements_i(b_now),
    .b_scale_i   (b_scale_now),
    .c_i         (c_now),
    .valid_o     (out_valid),
    .ready_i     (out_ready),
    .result_o    (result)
  );

  /////////////
  // Vectors //
  /////////////

  // Lines of a plane; ends the simulation unless every one has the digits of so many bits. -1 if
  // the file is not there and need not be.
  function automatic int lines_of(input string name, input int bits, input int optional);
    int file, code, digits, lines;
    lines = 0;
    digits = 0;
    file = $fopen({directory, "/", name}, "r");
    if (file == 0) begin
      if (optional == 0) begin
        $fatal(1, "%s/%s: cannot be read.", directory, name);
      end
      lines = -1;
    end else begin
      code = $fgetc(file);
      while (code >= 0) begin
        if (code == 10) begin
          lines = lines + 1;
          if (digits != (bits + 3) / 4) begin
            $fatal(1, "%s/%s: line %0d has %0d digits; %0d bits have %0d.", directory, name, lines,
                   digits, bits, (bits + 3) / 4);
          end
          digits = 0;
        end else begin
          digits = digits + 1;
        end
        code = $fgetc(file);
      end
      if (digits != 0) begin
        $fatal(1, "%s/%s: ends in the middle of line %0d.", directory, name, lines + 1);
      end
      $fclose(file);
    end
    lines_of = lines;
  endfunction

  task automatic check_lines(input string name, input int bits);
    if (lines_of(name, bits, 0) != count) begin
      $fatal(1, "%s/%s: has %0d lines, result.hex %0d; mx_dot takes one block for each result.",
             directory, name, lines_of(name, bits, 0), count);
    end
  endtask

  // A digit that is none leaves X bits (in a simulator that has X).
  task automatic check_known(input int vector);
    if ((^{a_elements[vector], a_scale[vector], b_elements[vector], b_scale[vector], c[vector],
           expected[vector]}) === 1'bx) begin
      $fatal(1, "%s: line %0d of a plane is not hexadecimal.", directory, vector + 1);
    end
  endtask

  task automatic load_vectors;
    int wanted;
    if ($value$plusargs("vectors=%s", directory) == 0) begin
      $fatal(1, "mx_dot_tb: give +vectors=DIR, a vector directory.");
    end
    count = lines_of("result.hex", ResultBits, 0);
    if (count == 0) begin
      $fatal(1, "%s: holds no vector; nothing would be compared.", directory);
    end
    if (count > MaxVectors) begin
      $fatal(1, "%s: holds %0d vectors; the parameter MaxVectors is %0d.", directory, count,
             MaxVectors);
    end
    if ($value$plusargs("count=%d", wanted) != 0 && wanted != count) begin
      $fatal(1, "%s: holds %0d vectors; +count= says %0d.", directory, count, wanted);
    end
    check_lines("a_elements.hex", ABlockBits);
    check_lines("a_scale.hex", 8);
    check_lines("b_elements.hex", BBlockBits);
    check_lines("b_scale.hex", 8);
    has_c = (lines_of("c.hex", 32, 1) >= 0) ? 1 : 0;
    $readmemh({directory, "/a_elements.hex"}, a_elements, 0, count - 1);
    $readmemh({directory, "/a_scale.hex"}, a_scale, 0, count - 1);
    $readmemh({directory, "/b_elements.hex"}, b_elements, 0, count - 1);
    $readmemh({directory, "/b_scale.hex"}, b_scale, 0, count - 1);
    $readmemh({directory, "/result.hex"}, expected, 0, count - 1);
    if (has_c != 0) begin
      check_lines("c.hex", 32);
      $readmemh({directory, "/c.hex"}, c, 0, count - 1);
    end
    for (int i = 0; i < count; i++) begin
      if (has_c == 0) begin
        c[i] = 32'd0;
      end
      check_known(i);
    end
  endtask

  ////////////
  // Stalls //
  ////////////

  // Two taps of a 32-bit maximal-length shift register decide whether to offer and to take.
  logic [31:0] noise;

  function automatic logic [31:0] next_noise(input logic [31:0] now);
    next_noise = {now[30:0], now[31] ^ now[21] ^ now[1] ^ now[0]};
  endfunction

  ///////////////////////////////
  // Play, compare, keep watch //
  ///////////////////////////////

  int                    offered;   // vectors whose last beat was put on the ports
  int                    beat;      // of the vector that comes next
  int                    compared;
  int                    mismatches;
  int                    cycles;
  int                    idle_cycles;
  int                    drained;
  int                    reset_cycles;
  logic                  held;      // an offered result was not taken in the last cycle
  logic [ResultBits-1:0] held_result;

  task automatic report(input int vector, input logic [ResultBits-1:0] seen);
    mismatches = mismatches + 1;
    if (mismatches <= MaxReports) begin
      $display("vector %0d: result 0x%h, expected 0x%h", vector, seen, expected[vector]);
      $display("  a 0x%h scale 0x%h", a_elements[vector], a_scale[vector]);
      $display("  b 0x%h scale 0x%h", b_elements[vector], b_scale[vector]);
      $display("  c 0x%h", c[vector]);
    end
  endtask

  task automatic finish;
    $display("mx_dot AFormat=%0d BFormat=%0d Accumulate=%0d ResultFormat=%0d Lanes=%0d Depth=%0d:",
             AFormat, BFormat, Accumulate, ResultFormat, Lanes, Depth);
    $display("%0d results compared, %0d mismatches, %0d cycles, c %0s", compared, mismatches, cycles,
             (has_c != 0) ? "from c.hex" : "+0 (no plane c.hex)");
    if (mismatches != 0) begin
      $fatal(1, "%0d of %0d results are wrong.", mismatches, compared);
    end
    if (compared != count || compared == 0) begin
      $fatal(1, "%0d of %0d results were compared.", compared, count);
    end
    $finish;
  endtask

  initial begin
    int seed;
    offered     = 0;
    beat        = 0;
    compared    = 0;
    mismatches  = 0;
    cycles      = 0;
    idle_cycles = 0;
    drained     = 0;
    held        = 1'b0;
    if ($value$plusargs("stalls=%d", stalls) == 0) begin
      stalls = 1;
    end
    if ($value$plusargs("seed=%d", seed) == 0) begin
      seed = 1;
    end
    noise = {seed[30:0], 1'b1};
    reset_cycles = 0;
    load_vectors();
  end

  always @(posedge clk) begin
    reset_cycles <= reset_cycles + 1;
    if (reset_cycles == ResetCycles) begin
      rst_n <= 1'b1;
    end
  end

  // Operands: a block stays on the ports until its beat is taken.
  always @(posedge clk) begin
    if (rst_n) begin
      noise <= next_noise(noise);
      if (in_valid === 1'b1 && in_ready !== 1'b1 && in_ready !== 1'b0) begin
        $fatal(1, "ready_o is 0b%b; it must be 0 or 1.", in_ready);
      end
      if (!in_valid || in_ready) begin
        if (offered < count && (stalls == 0 || noise[7:6] != 2'b00)) begin
          in_valid    <= 1'b1;
          a_now       <= a_elements[offered][beat*ABits +: ABits];
          b_now       <= b_elements[offered][beat*BBits +: BBits];
          a_scale_now <= a_scale[offered];
          b_scale_now <= b_scale[offered];
          c_now       <= c[offered];
          offered     <= (beat == Beats - 1) ? offered + 1 : offered;
          beat        <= (beat == Beats - 1) ? 0 : beat + 1;
        end else begin
          // What the ports carry without valid must not matter.
          in_valid    <= 1'b0;
          a_now       <= 'x;
          b_now       <= 'x;
          a_scale_now <= 'x;
          b_scale_now <= 'x;
          c_now       <= 'x;
        end
      end
      out_ready <= stalls == 0 || noise[20] || noise[9];
    end
  end

  // Results.
  always @(posedge clk) begin
    if (rst_n) begin
      cycles = cycles + 1;
      idle_cycles = idle_cycles + 1;
      if (out_valid !== 1'b0 && out_valid !== 1'b1) begin
        $fatal(1, "valid_o is 0b%b; it must be 0 or 1.", out_valid);
      end
      if (held && (out_valid !== 1'b1 || result !== held_result)) begin
        $fatal(1, "vector %0d: the result changed before it was taken.", compared);
      end
      if (in_valid && in_ready) begin
        idle_cycles = 0;
      end
      if (out_valid && out_ready) begin
        idle_cycles = 0;
        if (compared == count) begin
          $fatal(1, "a result too many: 0x%h after %0d results.", result, count);
        end
        if (result !== expected[compared]) begin
          report(compared, result);
        end
        compared = compared + 1;
      end
      held        <= out_valid && !out_ready;
      held_result <= result;
      if (compared == count) begin
        drained = drained + 1;
        if (drained == DrainCycles) begin
          finish();
        end
      end else if (idle_cycles == PatientCycles) begin
        $fatal(1, "hung: %0d vectors offered, %0d results of %0d; ready_o is 0b%b, valid_o is 0b%b.",
               offered, compared, count, in_ready, out_valid);
      end
    end
  end

endmodule
