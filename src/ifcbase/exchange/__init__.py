"""Reports in other people's formats: a neutral report in, BCF, XLSX, CSV, HTML or Markdown out."""
