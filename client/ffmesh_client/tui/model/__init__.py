"""Pure: public messages and answers in, frozen values out. No clock (time is told), no Textual, no terminal."""
