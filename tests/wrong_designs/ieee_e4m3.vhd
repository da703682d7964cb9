-- E4M3 blocks to Float32, start and done, a number a cycle. Bug: the top exponent is Inf and NaN, as in IEEE 754.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity ieee_e4m3 is
  generic (bug : integer := 1);
  port (
    clk      : in  std_logic;
    rst      : in  std_logic;
    start    : in  std_logic;
    elements : in  std_logic_vector(255 downto 0);
    scale    : in  std_logic_vector(7 downto 0);
    done     : out std_logic;
    values   : out std_logic_vector(1023 downto 0)
  );
end entity;

architecture rtl of ieee_e4m3 is
  signal busy  : std_logic;
  signal index : integer range 0 to 31;

  function number(code, scale : unsigned(7 downto 0)) return unsigned is
    variable significand : unsigned(3 downto 0);
    variable exponent, top : integer;
    variable bits : unsigned(30 downto 0);
  begin
    if scale = 255 or code(6 downto 0) = 127 then
      return x"7fc00000";
    end if;
    if bug /= 0 and code(6 downto 3) = 15 then
      if code(2 downto 0) = 0 then
        return code(7) & "111" & x"f800000";
      end if;
      return x"7fc00000";
    end if;
    significand := '1' & code(2 downto 0);
    exponent := to_integer(code(6 downto 3));
    if exponent = 0 then
      significand(3) := '0';
      exponent := 1;
    end if;
    if significand = 0 then
      return code(7) & to_unsigned(0, 31);
    end if;
    exponent := exponent - 10 + to_integer(scale) - 127;
    top := 0;
    for i in 0 to 3 loop
      if significand(i) = '1' then
        top := i;
      end if;
    end loop;
    if exponent + top > 127 then
      return code(7) & "111" & x"f800000";
    end if;
    if exponent + top < -126 then
      bits := shift_left(resize(significand, 31), exponent + 149);
    else
      bits := shift_left(resize(significand, 31), 23 - top)
              + shift_left(to_unsigned(exponent + top + 126, 31), 23);
    end if;
    return code(7) & bits;
  end function;
begin
  process (clk)
  begin
    if rising_edge(clk) then
      done <= '0';
      if rst = '1' then
        busy <= '0';
        index <= 0;
      elsif start = '1' then
        busy <= '1';
        index <= 0;
      elsif busy = '1' then
        values(32 * index + 31 downto 32 * index) <= std_logic_vector(
          number(unsigned(elements(8 * index + 7 downto 8 * index)), unsigned(scale)));
        if index = 31 then
          busy <= '0';
          done <= '1';
        else
          index <= index + 1;
        end if;
      end if;
    end if;
  end process;
end architecture;
