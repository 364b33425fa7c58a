//! The people of the simulation: who they are, which phone they carry, what their carrier knows about them.

/// Somebody with a simulated phone.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The value of the form field `person`.
    pub id: &'static str,
    /// The name of the carrier whose SIM is in the phone: `aurora`, `tangent` or `vireo`.
    pub carrier: &'static str,
    /// Given name.
    pub given_name: &'static str,
    /// Family name.
    pub family_name: &'static str,
    /// E-mail address.
    pub email: &'static str,
    /// E.164.
    pub phone: &'static str,
    /// The phone on the table.
    pub device: &'static str,
    /// `YYYY-MM-DD`.
    pub birthdate: &'static str,
    /// Street and number.
    pub street: &'static str,
    /// Town.
    pub locality: &'static str,
    /// State.
    pub region: &'static str,
    /// Five digits.
    pub postal_code: &'static str,
}

impl Person {
    /// Given and family name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }
}

/// Everybody, the first of each carrier being the one it assumes without a hint.
pub fn personas() -> &'static [Person] {
    &PEOPLE
}

pub(super) fn person(id: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}

pub(super) fn first_of(carrier: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.carrier == carrier)
}

// The numbers are from the range set aside for fiction.
static PEOPLE: [Person; 8] = [
    Person {
        id: "maya",
        carrier: "aurora",
        given_name: "Maya",
        family_name: "Okafor",
        email: "maya.okafor@example.com",
        phone: "+13105550142",
        device: "Maya’s Finch 6",
        birthdate: "1988-03-14",
        street: "12 Quay Street",
        locality: "Long Beach",
        region: "CA",
        postal_code: "90802",
    },
    Person {
        id: "tomas",
        carrier: "aurora",
        given_name: "Tomás",
        family_name: "Núñez",
        email: "tomas.nunez@example.com",
        phone: "+13105550187",
        device: "Tomás’s Heron",
        birthdate: "1975-11-02",
        street: "4 Breakwater Lane",
        locality: "San Pedro",
        region: "CA",
        postal_code: "90731",
    },
    Person {
        id: "ines",
        carrier: "tangent",
        given_name: "Inês",
        family_name: "Carvalho",
        email: "ines.carvalho@example.org",
        phone: "+12065550119",
        device: "Inês’s Wren Mini",
        birthdate: "1992-07-29",
        street: "801 Ferry Road",
        locality: "Seattle",
        region: "WA",
        postal_code: "98101",
    },
    Person {
        id: "jun",
        carrier: "tangent",
        given_name: "Jun",
        family_name: "Park",
        email: "jun.park@example.org",
        phone: "+12065550176",
        device: "Jun’s Plover",
        birthdate: "1999-01-08",
        street: "33 Harbor Steps",
        locality: "Seattle",
        region: "WA",
        postal_code: "98104",
    },
    Person {
        id: "noor",
        carrier: "vireo",
        given_name: "Noor",
        family_name: "Haddad",
        email: "noor.haddad@example.net",
        phone: "+12125550163",
        device: "Noor’s Kestrel",
        birthdate: "1983-09-21",
        street: "77 Pier Avenue",
        locality: "New York",
        region: "NY",
        postal_code: "10004",
    },
    Person {
        id: "wyn",
        carrier: "vireo",
        given_name: "Wyn",
        family_name: "O’Hara",
        email: "wyn.ohara@example.net",
        phone: "+12125550134",
        device: "Wyn’s Curlew Fold",
        birthdate: "1969-05-30",
        street: "9 Slip Street",
        locality: "New York",
        region: "NY",
        postal_code: "10038",
    },
    Person {
        id: "lea",
        carrier: "meridian",
        given_name: "Léa",
        family_name: "Marchand",
        email: "lea.marchand@example.com",
        phone: "+19135550158",
        device: "Léa’s Swift",
        birthdate: "1990-12-01",
        street: "5 Lock Lane",
        locality: "Kansas City",
        region: "MO",
        postal_code: "64105",
    },
    Person {
        id: "otis",
        carrier: "meridian",
        given_name: "Otis",
        family_name: "Bell",
        email: "otis.bell@example.com",
        phone: "+19135550171",
        device: "Otis’s Dunlin",
        birthdate: "1971-06-17",
        street: "18 Weir Road",
        locality: "Overland Park",
        region: "KS",
        postal_code: "66210",
    },
];
