//! Commands of set-up and maintenance: `config`, `source`, `backup`, `restore`, `manual`.

pub mod backup;
pub mod config;
pub mod manual;
pub mod source;
