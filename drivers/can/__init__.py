"""Makes that live on CAN, one folder each: tables, codec, device."""
