//! Text in any encoding as UTF-8.

use super::rows::Fault;
use super::{
    Place,
    guess::{WINDOW, guess, wide},
};
use crate::{PluginError, Result, tracing};
use encoding_rs::{Decoder, DecoderResult, UTF_8};
use std::{
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
};

/// So many characters tell an encoding with certainty.
const CERTAIN: usize = 40;
/// Stands for what is not valid in the file's own encoding: no UTF-8 text has it.
const INVALID: u8 = 0xff;

/// The `encoding` option.
#[derive(Debug, Clone, Copy)]
pub struct Encoding(Option<&'static encoding_rs::Encoding>);

impl Encoding {
    /// By its name as the web has it; `auto` for what the file looks like.
    pub fn named(label: &str) -> Result<Self> {
        if label == "auto" {
            return Ok(Self(None));
        }
        let encoding = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
        encoding.map(|e| Self(Some(e))).ok_or_else(|| {
            let names = "\"auto\", \"utf-8\", \"gb18030\", \"gbk\", \"big5\", \"utf-16le\", \"windows-1252\"";
            PluginError::option(
                "encoding",
                format!("does not know {label:?}; it knows {names} and the web's other encodings"),
            )
        })
    }

    /// The reader's text as UTF-8, without its byte order mark.
    pub(super) fn decode(self, reader: Box<dyn BufRead + Send>, file: &Path) -> io::Result<Decoded> {
        let (state, hint, file) = (State::Ascii, Hint::Utf8, file.to_owned());
        let mut decoded =
            Decoded { reader, state, ready: Default::default(), raw: Default::default(), ascii: 0, hint, file };
        decoded.look_ahead(3)?;
        let mark = encoding_rs::Encoding::for_bom(&decoded.ready.0);
        decoded.ready.1 = mark.map_or(0, |(_, length)| length);
        if let Some(encoding) = mark.map(|(encoding, _)| encoding).or(self.0) {
            decoded.begin(encoding);
        }
        Ok(decoded)
    }
}

/// What a text that is not valid may be instead.
#[derive(Debug, Clone, Copy)]
pub enum Hint {
    /// Not known.
    Utf8,
    /// It is read as UTF-8, but looks like another encoding.
    LooksLike(&'static str),
    /// It is read in this encoding.
    Is(&'static str),
}

/// A reader of UTF-8; what is not valid in the file's encoding is not valid here.
pub struct Decoded {
    reader: Box<dyn BufRead + Send>,
    state: State,
    /// Bytes that come before the reader's, and how many of them are used.
    ready: (Vec<u8>, usize),
    /// The same, not yet decoded.
    raw: (Vec<u8>, usize),
    /// Bytes at hand that are known to be ASCII.
    ascii: usize,
    hint: Hint,
    /// The file, for messages.
    file: PathBuf,
}

enum State {
    /// Nothing but ASCII so far: the encoding does not matter yet.
    Ascii,
    Utf8,
    Other(Box<Decoder>),
    End,
}

impl Decoded {
    /// What to say of text that is not valid.
    pub fn hint(&self) -> Hint {
        self.hint
    }

    fn begin(&mut self, encoding: &'static encoding_rs::Encoding) {
        if encoding == UTF_8 {
            self.state = State::Utf8;
            return;
        }
        self.hint = Hint::Is(encoding.name());
        self.state = State::Other(Box::new(encoding.new_decoder_without_bom_handling()));
        self.raw = std::mem::take(&mut self.ready);
    }

    /// Makes `ready` at least so long, if the file is.
    fn look_ahead(&mut self, length: usize) -> io::Result<()> {
        self.ready.0.drain(..self.ready.1);
        self.ready.1 = 0;
        while self.ready.0.len() < length {
            let more = self.reader.fill_buf()?;
            if more.is_empty() {
                break;
            }
            let taken = more.len();
            self.ready.0.extend_from_slice(more);
            self.reader.consume(taken);
        }
        Ok(())
    }

    /// Decides for an encoding; what is not ASCII comes next.
    fn decide(&mut self) -> io::Result<()> {
        self.look_ahead(WINDOW)?;
        let (encoding, looks_like) = guess(&self.ready.0);
        if encoding != UTF_8 && wide(&self.ready.0) < CERTAIN {
            let (file, name) = (self.file.display(), encoding.name());
            tracing::warn!(
                "{file} is taken to be in {name}, but has too few characters to be certain; if it is not, set `encoding`, \
                 e.g. `encoding = \"euc-kr\"`"
            );
        }
        self.begin(encoding);
        if let Some(name) = looks_like {
            self.hint = Hint::LooksLike(name);
        }
        Ok(())
    }

    /// Decodes until something is ready or the file ends.
    fn decode(&mut self) -> io::Result<()> {
        let State::Other(decoder) = &mut self.state else { return Ok(()) };
        let (out, used) = &mut self.ready;
        out.clear();
        *used = 0;
        let mut ended = false;
        while out.is_empty() && !ended {
            let pending = &self.raw.0[self.raw.1..];
            let (source, from_reader) =
                if pending.is_empty() { (self.reader.fill_buf()?, true) } else { (pending, false) };
            ended = source.is_empty();
            out.resize((source.len() * 3).clamp(64, WINDOW), 0);
            let (mut read, mut written) = (0, 0);
            // It stops wherever something is malformed, which may be at every byte.
            loop {
                let last = out.len() - 1; // kept free for what stands for that
                let (result, taken, made) =
                    decoder.decode_to_utf8_without_replacement(&source[read..], &mut out[written..last], ended);
                read += taken;
                written += made;
                if let DecoderResult::Malformed(..) = result {
                    out[written] = INVALID;
                    written += 1;
                }
                if result == DecoderResult::InputEmpty {
                    break;
                }
                if result == DecoderResult::OutputFull || out.len() - written < 16 {
                    ended = false; // what the decoder still holds comes with the next call
                    break;
                }
            }
            out.truncate(written);
            if from_reader { self.reader.consume(read) } else { self.raw.1 += read }
        }
        if ended {
            self.state = State::End;
        }
        Ok(())
    }
}

impl BufRead for Decoded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let State::Ascii = self.state {
            let ready = self.ready.1 < self.ready.0.len();
            if self.ascii == 0 {
                let next = if ready { &self.ready.0[self.ready.1..] } else { self.reader.fill_buf()? };
                self.ascii = encoding_rs::Encoding::ascii_valid_up_to(next);
                if self.ascii == 0 && !next.is_empty() {
                    self.decide()?;
                    return self.fill_buf();
                }
            }
            return match ready {
                true => Ok(&self.ready.0[self.ready.1..self.ready.1 + self.ascii]),
                false => Ok(&self.reader.fill_buf()?[..self.ascii]),
            };
        }
        if self.ready.1 >= self.ready.0.len() {
            match self.state {
                State::Other(_) => self.decode()?,
                State::End => {}
                State::Ascii | State::Utf8 => return self.reader.fill_buf(),
            }
        }
        Ok(&self.ready.0[self.ready.1..])
    }

    fn consume(&mut self, amount: usize) {
        self.ascii = self.ascii.saturating_sub(amount);
        if self.ready.1 < self.ready.0.len() {
            self.ready.1 += amount;
        } else if amount > 0 {
            self.reader.consume(amount);
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let next = self.fill_buf()?;
        let count = next.len().min(out.len());
        out[..count].copy_from_slice(&next[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// `bytes`, which begin at `place`, as text; `what` they are is said in the error.
pub fn text<'a>(bytes: &'a [u8], place: &Place, hint: Hint, what: &str) -> Result<&'a str, Fault> {
    std::str::from_utf8(bytes).map_err(|e| {
        place.after(&bytes[..e.valid_up_to()]).wrong(match hint {
            Hint::Utf8 => format!("{what} is not valid UTF-8; save the file as UTF-8, or name its `encoding`"),
            Hint::LooksLike(name) => format!(
                "{what} is not valid UTF-8; it looks like {name}: set `encoding = {name:?}`, or save the file as UTF-8"
            ),
            Hint::Is(name) => {
                format!("{what} is not valid in the file's encoding, {name}; repair it, or name another `encoding`")
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{BIG5, EUC_KR, GB18030, GBK, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252};
    use std::io::{BufReader, Cursor};

    /// Decodes through buffers of `step` bytes.
    fn decode(label: &str, bytes: &[u8], step: usize) -> (Vec<u8>, Hint) {
        let reader = Box::new(BufReader::with_capacity(step, Cursor::new(bytes.to_vec())));
        let mut decoded = Encoding::named(label).unwrap().decode(reader, Path::new("a.txt")).unwrap();
        let mut out = Vec::new();
        decoded.read_to_end(&mut out).unwrap();
        (out, decoded.hint)
    }

    #[track_caller]
    fn recognised(bytes: &[u8], expected: &str) {
        for step in [1, 3, 4096] {
            let (out, hint) = decode("auto", bytes, step);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{hint:?}, step {step}");
        }
    }

    const CHINESE: &str = "title,text\n山高月小，水落石出。这里的春天来得很晚，但是花开得很好。\n";

    #[test]
    fn chinese_encodings_are_recognised() {
        recognised(CHINESE.as_bytes(), CHINESE);
        recognised(format!("\u{feff}{CHINESE}").as_bytes(), CHINESE);
        recognised(&GBK.encode(CHINESE).0, CHINESE);
        let rare = "title,text\n这首诗里有一个生僻字：𠮷。别的字都很常见，读起来不难。\n";
        recognised(&GB18030.encode(rare).0, rare);
        let traditional = "title,text\n這裡的春天來得很晚，但是花開得很好，我們都很喜歡。\n";
        recognised(&BIG5.encode(traditional).0, traditional);
        recognised(&GBK.encode("a\n春天\n").0, "a\n春天\n");
    }

    /// A row of Chinese, which the detector takes for Korean; and real Korean, as short.
    #[test]
    fn a_few_characters_of_chinese_are_no_korean() {
        for text in ["a,b\n你好,再见\n", "问题,答案\n春天,花开\n", "请问,谢谢\n", "中国\n"] {
            recognised(&GBK.encode(text).0, text);
        }
        for text in ["안녕하세요, 반갑습니다\n", "질문,대답\n봄,꽃이 핀다\n"] {
            recognised(&EUC_KR.encode(text).0, text);
        }
    }

    #[test]
    fn the_first_thousand_lines_may_be_ascii() {
        let text = "plain ascii, nothing else\n".repeat(10_000) + CHINESE;
        assert_eq!(decode("auto", &GBK.encode(&text).0, 4096).0, text.as_bytes());
    }

    #[test]
    fn byte_order_marks_tell_utf_16() {
        for encoding in [UTF_16LE, UTF_16BE] {
            let units = "\u{feff}a春\n".encode_utf16();
            let bytes: Vec<u8> = match encoding == UTF_16LE {
                true => units.flat_map(u16::to_le_bytes).collect(),
                false => units.flat_map(u16::to_be_bytes).collect(),
            };
            recognised(&bytes, "a春\n");
        }
    }

    #[test]
    fn named_encodings_are_believed() {
        assert_eq!(decode("windows-1251", &WINDOWS_1251.encode("мир").0, 2).0, "мир".as_bytes());
        assert_eq!(decode("gbk", &GBK.encode("春天").0, 1).0, "春天".as_bytes());
        assert!(Encoding::named("klingon").unwrap_err().message.contains("gb18030"));
    }

    #[test]
    fn eight_bit_encodings_are_hinted_at_but_not_believed() {
        let (out, hint) = decode("auto", &WINDOWS_1252.encode("na\u{ef}ve caf\u{e9} \u{e0} la carte").0, 9);
        assert!(std::str::from_utf8(&out).is_err());
        assert!(matches!(hint, Hint::LooksLike("windows-1252")), "{hint:?}");
    }

    #[test]
    fn damage_everywhere_is_read_at_once() {
        let begun = std::time::Instant::now();
        let (out, _) = decode("gbk", &vec![0xff; 32 << 20], 64 << 10);
        assert!(out.len() == 32 << 20 && out.iter().all(|b| *b == INVALID));
        assert!(begun.elapsed().as_secs() < 20, "takes {:?}", begun.elapsed());
        for step in [1, 2, 3, 7, 64] {
            assert_eq!(decode("gb18030", &[0xff; 101], step).0, [INVALID; 101], "step {step}");
        }
    }

    #[test]
    fn damage_stays_where_it_is() {
        let mut utf8 = CHINESE.repeat(3).into_bytes();
        utf8[40] = 0xff;
        assert_eq!(decode("auto", &utf8, 7).0, utf8);
        let mut gbk = GBK.encode(&CHINESE.repeat(3)).0.into_owned();
        let at = gbk.len() - 4;
        gbk[at] = 0xff;
        let (out, hint) = decode("gbk", &gbk, 7);
        assert!(matches!(hint, Hint::Is("GBK")));
        let broken = out.iter().position(|b| *b == INVALID).unwrap();
        assert_eq!(&out[..CHINESE.len() * 2], CHINESE.repeat(2).as_bytes());
        assert!(broken > CHINESE.len() * 2 && out.ends_with(b"\n"));
    }
}
