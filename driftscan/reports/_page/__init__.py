"""What the HTML reports are made of: what they show (`view`, `timeline`), and how values become HTML (`markup`)."""
