//! The header of a `.npy` file, format versions 1 to 3: a Python dictionary
//! with three keys, after magic bytes and a length.
//!
//! It is read here because it is untrusted: the published parsers of this
//! format allocate by the announced length, recurse into nested literals and
//! multiply shapes unchecked.

use std::io::Read;

use phalanx_robust::Dtype;

use super::{Problem, layout::Layout};

/// The first bytes of every `.npy` file.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy's own headers take 64 to 128 bytes.
const LONGEST_HEADER: u32 = 1 << 16;
/// Data starts at a multiple of this.
const ALIGNMENT: usize = 64;

/// The layout of the file behind `reader`, which stands after the magic bytes; the file has `length` bytes.
///
/// # Errors
/// [`Problem`], of any kind but `Memory` and `Write`.
pub fn layout(mut reader: impl Read, length: u64) -> Result<Layout, Problem> {
    let [major, minor] = bytes(&mut reader)?;
    let (size, preamble) = match (major, minor) {
        (1, 0) => (u16::from_le_bytes(bytes(&mut reader)?).into(), 10),
        (2 | 3, 0) => (u32::from_le_bytes(bytes(&mut reader)?), 12),
        _ => return Err(Problem::Header(format!("format version {major}.{minor} is unknown"))),
    };
    if size > LONGEST_HEADER {
        return Err(Problem::Header(format!(
            "it claims to be {size} bytes long, more than {LONGEST_HEADER}"
        )));
    }
    let mut text = vec![0; size as usize];
    reader.read_exact(&mut text).map_err(|_| ends())?;
    let text = std::str::from_utf8(&text).map_err(|_| Problem::Header("it is no text".into()))?;
    let header = Header::parse(text).map_err(Problem::Header)?;
    let dtype = match header.descr.as_str() {
        "<f4" => Dtype::F32,
        "<f8" => Dtype::F64,
        other => return Err(Problem::Dtype(other.to_owned())),
    };
    if header.fortran {
        return Err(Problem::Fortran);
    }
    Layout::new(&header.shape, dtype, preamble + u64::from(size), length)
}

/// All that precedes the data of an array of this shape.
pub fn preamble(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
    let descr = match dtype {
        Dtype::F32 => "<f4",
        Dtype::F64 => "<f8",
    };
    let shape = match shape {
        [one] => format!("{one},"),
        several => several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let fixed = MAGIC.len() + 4;
    let padded = (fixed + text.len() + 1).next_multiple_of(ALIGNMENT) - fixed;
    text.push_str(&" ".repeat(padded - text.len() - 1));
    text.push('\n');
    let size = padded as u16;
    [MAGIC, &[1, 0], &size.to_le_bytes(), text.as_bytes()].concat()
}

fn bytes<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(|_| ends())?;
    Ok(bytes)
}

fn ends() -> Problem {
    Problem::Header("the file ends in it".into())
}

/// The three entries.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let mut rest = Literal(text.trim());
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        rest.expect('{')?;
        while !rest.skip('}') {
            let key = rest.string()?;
            rest.expect(':')?;
            match key {
                "descr" => descr = Some(rest.string_or_list()?.to_owned()),
                "fortran_order" => fortran = Some(rest.boolean()?),
                "shape" => shape = Some(rest.numbers()?),
                other => return Err(format!("the key {other:?} is unknown")),
            }
            if !rest.skip(',') {
                rest.expect('}')?;
                break;
            }
        }
        if !rest.0.is_empty() {
            return Err("something follows the dictionary".into());
        }
        let missing = |key: &str| format!("`{key}` is missing");
        Ok(Self {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

/// What is left of a Python literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    /// Takes `c` and the blanks behind it, if it is next.
    fn skip(&mut self, c: char) -> bool {
        let after = self.0.strip_prefix(c);
        self.0 = after.map_or(self.0, str::trim_start);
        after.is_some()
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.skip(c) { Ok(()) } else { Err(format!("`{c}` is expected at {:?}", self.start())) }
    }

    fn start(&self) -> String {
        self.0.chars().take(20).collect()
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let wrong = format!("a string is expected at {:?}", self.start());
        let Some(quote) = self.0.chars().next().filter(|c| "'\"".contains(*c)) else { return Err(wrong) };
        let (text, after) = self.0[1..].split_once(quote).ok_or(wrong)?;
        self.0 = after.trim_start();
        Ok(text)
    }

    /// A string, or the list of fields of a structured type up to its end.
    fn string_or_list(&mut self) -> Result<&'a str, String> {
        if !self.0.starts_with('[') {
            return self.string();
        }
        let end = self.0.rfind(']').ok_or("a list does not end")?;
        let (list, after) = self.0.split_at(end + 1);
        self.0 = after.trim_start();
        Ok(list)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(after) = self.0.strip_prefix(word) {
                self.0 = after.trim_start();
                return Ok(value);
            }
        }
        Err(format!("True or False is expected at {:?}", self.start()))
    }

    fn numbers(&mut self) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        self.expect('(')?;
        while !self.skip(')') {
            let digits = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (number, after) = self.0.split_at(digits);
            let wrong = |_| format!("{:?} is no number of rows or columns", self.start());
            numbers.push(number.parse().map_err(wrong)?);
            self.0 = after.trim_start();
            if !self.skip(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::{Dtype, Header, MAGIC, Problem, layout, preamble};

    fn read(file: &[u8]) -> Result<super::Layout, Problem> {
        layout(&file[MAGIC.len()..], file.len() as u64)
    }

    #[test]
    fn what_is_written_is_read() {
        for (dtype, size) in [(Dtype::F32, 4), (Dtype::F64, 8)] {
            let mut file = preamble(dtype, &[2, 1000]);
            assert_eq!(file.len() % 64, 0);
            file.resize(file.len() + 2000 * size, 0);
            let layout = read(&file).unwrap();
            assert_eq!((layout.dtype, layout.m, layout.d), (dtype, 2, 1000));
        }
    }

    /// As `numpy.lib.format.write_array` spells a vector of five.
    #[test]
    fn the_header_is_numpys() {
        let file = preamble(Dtype::F32, &[5]);
        assert_eq!(&file[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(file[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }  "));
        assert_eq!((file.len(), file.last()), (128, Some(&b'\n')));
    }

    #[test]
    fn keys_in_any_order_and_spacing() {
        let header = Header::parse("{ \"shape\":(3 ,4) , 'fortran_order':True,'descr':'<f8'}\n").unwrap();
        assert_eq!(header, Header { descr: "<f8".into(), fortran: true, shape: vec![3, 4] });
    }

    #[test]
    fn damaged_headers_are_errors() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
        for end in 0..good.len() {
            assert!(Header::parse(&good[..end]).is_err(), "{}", &good[..end]);
        }
        for (old, new) in [
            ("(3, 4)", "(3, -4)"),
            ("(3, 4)", "(3, 18446744073709551616)"),
            ("(3, 4)", "(3, , 4)"),
            ("(3, 4)", "12"),
            ("False", "0"),
            ("'descr'", "'other'"),
            ("'shape'", "'shäpe"),
            ("}", "} {}"),
        ] {
            let bad = good.replace(old, new);
            assert!(Header::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let mut file = [MAGIC, &[2, 0], &u32::MAX.to_le_bytes()].concat();
        assert!(matches!(read(&file), Err(Problem::Header(_))));
        file[6] = 9;
        assert!(matches!(read(&file), Err(Problem::Header(_))));
    }
}
