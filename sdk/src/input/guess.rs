//! Which encoding a text has, by what its bytes look like.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, GB18030, GBK, SHIFT_JIS, UTF_8};

/// How much is looked at to tell an encoding, from the first character on that is not ASCII.
pub(super) const WINDOW: usize = 64 << 10;

/// The encoding of a text, and what it looks like if that is not believed.
pub(super) fn guess(window: &[u8]) -> (&'static encoding_rs::Encoding, Option<&'static str>) {
    let (mut valid, mut invalid) = (0, 0);
    for chunk in window.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        invalid += usize::from(!chunk.invalid().is_empty());
    }
    // A character that the window cuts through is not invalid; a few damaged ones make no other encoding.
    if invalid <= 1 + valid / 4 && valid > 0 {
        return (UTF_8, None);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(window, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let guess = if guess == GBK { GB18030 } else { guess };
    // Of a few characters, the detector takes Chinese for Korean. Korean has hardly anything but syllables.
    let guess = if guess == EUC_KR && !syllables(window) && common_chinese(window) { GB18030 } else { guess };
    let decodes = |encoding: &'static encoding_rs::Encoding| {
        let whole = &window[..window.len() - window.len().min(4) * usize::from(window.len() >= WINDOW)];
        !encoding.decode_without_bom_handling(whole).1
    };
    if [GB18030, BIG5, EUC_JP, EUC_KR, SHIFT_JIS].contains(&guess) && decodes(guess) {
        return (guess, None);
    }
    if common_chinese(window) && decodes(GB18030) {
        return (GB18030, None);
    }
    // Eight-bit encodings fit any bytes, so that none can be told from a damaged file.
    (UTF_8, Some(guess.name()))
}

/// Pairs of bytes that are not ASCII.
fn pairs(window: &[u8]) -> impl Iterator<Item = (u8, u8)> + '_ {
    let mut rest = window;
    std::iter::from_fn(move || {
        let at = rest.iter().position(|b| !b.is_ascii())?;
        let pair = (rest[at], rest.get(at + 1).copied().unwrap_or(0));
        rest = &rest[(at + 2).min(rest.len())..];
        Some(pair)
    })
}

/// How many characters of two bytes there are.
pub(super) fn wide(window: &[u8]) -> usize {
    pairs(window).count()
}

/// Whether nearly all pairs are where EUC-KR has Hangul and punctuation.
fn syllables(window: &[u8]) -> bool {
    let korean = pairs(window).filter(|(lead, _)| matches!(lead, 0xa1..=0xa3 | 0xb0..=0xc8)).count();
    korean * 20 >= wide(window) * 19
}

/// Whether most of what is not ASCII are pairs of bytes from GB 2312's common characters.
fn common_chinese(window: &[u8]) -> bool {
    let is_common = |pair: &(u8, u8)| matches!(pair, (0xb0..=0xd7 | 0xa1 | 0xa3, 0xa1..=0xfe));
    let (pairs, common) = (wide(window), pairs(window).filter(is_common).count());
    pairs >= 2 && common * 10 >= pairs * 8
}
