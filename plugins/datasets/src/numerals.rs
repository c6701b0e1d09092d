//! Numbers in running text.

/// The first number in a text, in digits (full-width ones too) or in Chinese.
pub fn first_number(text: &str) -> Option<u64> {
    let mut rest = text.chars().skip_while(|c| digit(*c).is_none() && chinese(*c).is_none()).peekable();
    let first = *rest.peek()?;
    if digit(first).is_some() {
        return rest.map_while(digit).try_fold(0_u64, |n, d| n.checked_mul(10)?.checked_add(d));
    }
    // 二十三 is 2 · 10 + 3; 一〇五, without units, is read digit by digit.
    let (mut sum, mut last, mut units) = (0_u64, None, false);
    for numeral in rest.map_while(chinese).take(12) {
        match numeral {
            Numeral::Digit(d) if units => last = Some(d),
            Numeral::Digit(d) => last = Some(last.unwrap_or(0) * 10 + d),
            Numeral::Unit(unit) => {
                sum += last.take().unwrap_or(1) * unit;
                units = true;
            }
        }
    }
    Some(sum + last.unwrap_or(0))
}

enum Numeral {
    Digit(u64),
    Unit(u64),
}

fn digit(c: char) -> Option<u64> {
    let value = match c {
        '0'..='9' => c as u32 - '0' as u32,
        '０'..='９' => c as u32 - '０' as u32,
        _ => return None,
    };
    Some(value.into())
}

fn chinese(c: char) -> Option<Numeral> {
    if let Some(value) = "〇一二三四五六七八九".chars().position(|d| d == c) {
        return Some(Numeral::Digit(value as u64));
    }
    Some(match c {
        '零' => Numeral::Digit(0),
        '两' | '兩' => Numeral::Digit(2),
        '十' => Numeral::Unit(10),
        '百' => Numeral::Unit(100),
        '千' => Numeral::Unit(1000),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::first_number;

    #[test]
    fn digits_and_chinese() {
        let cases = [("7", 7), ("Vol. 12/3", 12), ("第１５期", 15), ("第三期", 3), ("第十期", 10), ("十二", 12)];
        for (text, number) in cases {
            assert_eq!(first_number(text), Some(number), "{text}");
        }
        for (text, number) in [("二十", 20), ("第二十三期", 23), ("一百零五", 105), ("一〇五", 105), ("两千", 2000)]
        {
            assert_eq!(first_number(text), Some(number), "{text}");
        }
        assert_eq!((first_number("no"), first_number(""), first_number(&"9".repeat(30))), (None, None, None));
    }
}
