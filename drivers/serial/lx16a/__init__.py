"""LewanSoul and Hiwonder LX-16A bus servos: position only, asked one by one."""
