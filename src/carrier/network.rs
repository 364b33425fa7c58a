//! Mobile networks: a country code of three digits and a network code of two or three (ITU-T E.212).

use std::fmt;

/// A mobile network: MCC and MNC. Two are the same only if their digits and their lengths are: `901-07` and `901-070` are two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    mcc: [u8; 3],
    mnc: [u8; 3],
    /// How many of `mnc` count: two or three. The third of two is zero.
    digits: u8,
}

/// How carriers of one kind write networks in what browsers bring back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkForm {
    /// Six digits: MCC, and an MNC of three (dossier 3).
    SixDigits,
    /// MCC and MNC with `_` between them.
    Underscored,
}

impl NetworkForm {
    /// Reads a network in this form; nothing is forgiven: no other digits than ASCII's, no other length.
    pub fn read(self, text: &str) -> Option<Network> {
        match self {
            Self::SixDigits => Network::of_digits(text.get(..3)?, text.get(3..).filter(|mnc| mnc.len() == 3)?),
            Self::Underscored => text.split_once('_').and_then(|(mcc, mnc)| Network::of_digits(mcc, mnc)),
        }
    }

    /// How a network is written in this form; `None` if it cannot be.
    pub fn write(self, network: Network) -> Option<String> {
        match (self, network.mnc()) {
            (Self::SixDigits, mnc) if mnc.len() != 3 => None,
            (Self::SixDigits, mnc) => Some(format!("{}{mnc}", network.mcc())),
            (Self::Underscored, mnc) => Some(format!("{}_{mnc}", network.mcc())),
        }
    }
}

impl Network {
    /// Reads what [`Network`] displays as, which is how configurations write it: `901-07`.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_once('-').and_then(|(mcc, mnc)| Self::of_digits(mcc, mnc))
    }

    fn of_digits(mcc: &str, mnc: &str) -> Option<Self> {
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let mcc_digits: [u8; 3] = mcc.as_bytes().try_into().ok().filter(|_| are_digits(mcc))?;
        let (digits, mnc_digits) = match *mnc.as_bytes() {
            [first, second] => (2, [first, second, 0]),
            [first, second, third] => (3, [first, second, third]),
            _ => return None,
        };
        are_digits(mnc).then_some(Self { mcc: mcc_digits, mnc: mnc_digits, digits })
    }

    /// The mobile country code.
    pub fn mcc(&self) -> &str {
        std::str::from_utf8(&self.mcc).unwrap_or_default()
    }

    /// The mobile network code, two or three digits.
    pub fn mnc(&self) -> &str {
        self.mnc.get(..usize::from(self.digits)).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.mcc(), self.mnc())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CR-F09
    #[test]
    fn a_network_is_its_digits_and_how_many_there_are() {
        let read = |text| NetworkForm::Underscored.read(text);
        let [two, three] = ["901-07", "901-070"].map(|text| Network::parse(text).unwrap());
        assert_ne!(two, three);
        assert_eq!((read("901_07"), read("901_070")), (Some(two), Some(three)));
        assert_eq!((two.to_string(), three.to_string()), ("901-07".to_owned(), "901-070".to_owned()));
        for bent in ["901_7", "9010_7", "901_0007", "901-07", "٩٠١_٠٧", "", "_", "901_", "901_07 ", "901_+7", "90107"]
        {
            assert_eq!(read(bent), None, "{bent}");
        }
        for bent in ["901_07", "90-107", "901-7", "901-0007", "901--7", "901-07-", "", "-"] {
            assert_eq!(Network::parse(bent), None, "{bent}");
        }
    }

    // D07
    #[test]
    fn six_digits_are_a_network_code_of_three() {
        let read = |text| NetworkForm::SixDigits.read(text);
        assert_eq!(read("310007"), Network::parse("310-007"));
        assert_eq!(read("901007"), Network::parse("901-007"));
        for bent in ["31041", "3104100", "310_41", "31041a", "３１０４１０", "310 10", "-31041", ""] {
            assert_eq!(read(bent), None, "{bent}");
        }
    }

    // CR-E06 for networks: what is written is read again, and no text makes a panic.
    #[test]
    fn every_network_comes_back_from_each_form_that_can_write_it() {
        for mcc in ["000", "310", "999"] {
            for mnc in ["00", "07", "99", "000", "070", "999"] {
                let network = Network::parse(&format!("{mcc}-{mnc}")).unwrap();
                assert_eq!(Network::parse(&network.to_string()), Some(network));
                for form in [NetworkForm::SixDigits, NetworkForm::Underscored] {
                    let written = form.write(network);
                    assert_eq!(written.is_none(), form == NetworkForm::SixDigits && mnc.len() == 2);
                    assert!(written.is_none_or(|written| form.read(&written) == Some(network)));
                }
            }
        }
        for text in ["é", "901é7", "é-07", "\u{0}", "9\u{301}01_07"] {
            let forms = [NetworkForm::SixDigits, NetworkForm::Underscored].map(|form| form.read(text));
            assert_eq!((forms, Network::parse(text)), ([None, None], None));
        }
    }
}
